# Daybook as an image. `docker build --tag daybook .` in this folder; docs/deployment.md says how it is run. What the steps do
# stands in scripts/image.sh, and a test runs those of the second stage as they stand here (tests/it/image.rs).

FROM rust:1.95-slim-trixie AS build
WORKDIR /source
COPY . .
# What was compiled before is kept by the builder, and is no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    scripts/image.sh build /target /built/daybook

# Debian of the same release: what was linked there finds the same libraries here.
FROM debian:trixie-slim
COPY scripts/image.sh /usr/local/bin/image.sh
COPY LICENSE /usr/share/doc/daybook/LICENSE
COPY --from=build /built/daybook /usr/local/bin/daybook
RUN image.sh install /usr/local/bin/daybook
# The folder of archives, and within it that of objects: all that is written outside of Postgres and NATS. The rest of the
# file system may be read-only.
ENV DAYBOOK_ARCHIVE=/var/lib/daybook
ENV DAYBOOK_LISTEN=0.0.0.0:8080
VOLUME /var/lib/daybook
WORKDIR /var/lib/daybook
# By number, so that whoever asks for one that is not root sees it.
USER 10001:10001
EXPOSE 8080
# It ends at SIGTERM once what is under way is answered.
STOPSIGNAL SIGTERM
# A first start waits for tables to be made, so it has its time; a look at itself takes a process 10 s at most.
HEALTHCHECK --interval=10s --timeout=15s --start-period=5m --retries=3 CMD ["daybook", "health"]
ENTRYPOINT ["image.sh", "start"]
CMD ["serve"]
