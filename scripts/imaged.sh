# shellcheck shell=bash
# The image without a Docker engine: the second stage of Dockerfile, carried out line by line in a private root of Debian. The
# program is one that is built already: the first stage takes many minutes, and is `scripts/image.sh build` alone.

# image install FOLDER PROGRAM makes FOLDER/root what the image would be.
# image run FOLDER [ARGUMENTS]... starts it as a container would, with what Daybook's settings and RUST_LOG say in the
# environment; image exec FOLDER WORDS... runs these words in the same way, without the entry point. Nothing but the volume can
# be written where mounts are permitted; elsewhere, nothing that the image's user may not.
image() {
    local action=${1:-} folder=${2:-} obstacle
    case $action:$# in
        install:3) ;;
        run:* | exec:*) [ -n "$folder" ] ;;
        *) false ;;
    esac || {
        say "usage: ./dev image install FOLDER PROGRAM, run FOLDER [ARGUMENTS]... or exec FOLDER WORDS..."
        return 2
    }
    shift 2
    obstacle=$(root_obstacle)
    if [ -n "$obstacle" ]; then
        say "the steps of the image cannot be run here ($obstacle)"
        return 3
    fi
    "image_$action" "$folder" "$@"
}

image_install() {
    local folder=$1 program=$2 word rest
    make_root || return
    mkdir -p "$folder/built" || return
    cp -al "$(root_path)" "$folder/root" 2>/dev/null || cp -a --reflink=auto "$(root_path)" "$folder/root" || return
    chmod 755 "$folder/root"
    # Files of its own where the steps write: the others are the shared root's.
    rm -f "$folder/root/etc/passwd" "$folder/root/etc/group"
    printf 'root:x:0:0::/root:/bin/sh\n' >"$folder/root/etc/passwd"
    printf 'root:x:0:\n' >"$folder/root/etc/group"
    # Where no device can be made, an ordinary file does.
    mknod "$folder/root/dev/null" c 1 3 2>/dev/null || : >"$folder/root/dev/null"
    chmod 666 "$folder/root/dev/null"
    chmod 1777 "$folder/root/tmp"
    # No package script ran in this root: what they would have made of the authorities is taken from this machine.
    mkdir -p "$folder/root/etc/ssl/certs"
    cp /etc/ssl/certs/ca-certificates.crt "$folder/root/etc/ssl/certs/" 2>/dev/null ||
        : >"$folder/root/etc/ssl/certs/ca-certificates.crt"
    cp "$program" "$folder/built/daybook" || return
    while read -r word rest; do
        image_step "$folder" "$word" "$rest" || fail "this step of Dockerfile failed: $word $rest" || return
    done < <(second_stage)
}

# The lines of the image itself, each one whole.
second_stage() {
    sed -e :a -e '/\\$/N; s/\\\n *//; ta' "$checkout/Dockerfile" | sed -n '/^FROM debian/,$p' | grep -v '^#' | grep .
}

image_step() {
    local folder=$1 root=$1/root from to
    case $2 in
        COPY)
            read -r from to <<<"${3#--from=build }"
            case $3 in
                --from=build*) from=$folder$from ;;
                *) from=$checkout/$from ;;
            esac
            mkdir -p "$(dirname "$root$to")" && cp "$from" "$root$to"
            ;;
        RUN) env -i PATH="$image_path" chroot "$root" /bin/sh -c "$3" ;;
        FROM | ENV | VOLUME | WORKDIR | USER | EXPOSE | STOPSIGNAL | HEALTHCHECK | ENTRYPOINT | CMD) ;;
        *) fail "./dev image does not know the word $2 of a Dockerfile" ;;
    esac
}

image_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# What Dockerfile says behind a word, the last time.
said() {
    second_stage | sed -n "s/^$1 //p" | tail -n 1
}

# The words of a list like ["a", "b"], each on a line.
words_of() {
    tr -d '[]"' <<<"$1" | tr ',' '\n' | sed 's/^ *//'
}

image_run() {
    local folder=$1 words=() name
    shift
    while read -r name; do words+=("$name"); done < <(words_of "$(said ENTRYPOINT)")
    [ $# -gt 0 ] || while read -r name; do words+=("$name"); done < <(words_of "$(said CMD)")
    image_exec "$folder" "${words[@]}" "$@"
}

image_exec() {
    local root=$1/root volume user setting value words=()
    shift
    volume=$(said VOLUME)
    user=$(said USER)
    # Of the caller's environment the settings alone, which go before what the image says, as with a container. They are secret,
    # so they are never arguments.
    for setting in $(compgen -e); do
        case $setting in
            DAYBOOK_* | DATABASE_URL* | NATS_URL* | RUST_LOG) ;;
            *) export -n "${setting?}" ;;
        esac
    done
    while IFS== read -r setting value; do
        [ -n "${!setting+set}" ] || export "$setting=$value"
    done < <(second_stage | sed -n 's/^ENV //p')
    export PATH=$image_path
    words=(setpriv --no-new-privs chroot --userspec="$user" --groups="${user#*:}" "$root" "$@")
    if unshare --mount true 2>/dev/null; then
        # shellcheck disable=SC2016 # The inner shell fills these in.
        exec unshare --mount sh -euc '
            mount --bind "$0" "$0"
            mount --bind "$0$1" "$0$1"
            mount -o remount,bind,ro "$0"
            shift
            exec "$@"' "$root" "$volume" "${words[@]}"
    fi
    exec "${words[@]}"
}
