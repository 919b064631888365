# Postgres 17 with the extensions that the read tables need, from the same Debian packages as the
# private root of ./dev. Images that carry timescaledb ready-made also put it into template1 and
# have its other edition, which can do things that our other servers cannot.
FROM postgres:17-trixie
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-17-pgvector postgresql-17-timescaledb \
    && rm -rf /var/lib/apt/lists/*
