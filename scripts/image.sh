#!/bin/sh
# The steps that Daybook's image is made of and starts with. Dockerfile runs them one after the other; where there is no Docker
# engine, ./dev image runs the same ones in a private root of Debian (scripts/imaged.sh), which is how a test tries them.
set -eu

# The user that the program runs as, by a number of its own: files in a volume keep it from image to image.
user=daybook
user_id=10001
home=/var/lib/daybook
program=/usr/local/bin/daybook

usage() {
    cat >&2 <<'END'
image.sh build FOLDER PROGRAM   builds the program with the release profile in FOLDER and copies it to PROGRAM
image.sh install PROGRAM        installs a built program, its user, its folder and what it needs of the system
image.sh start [ARGUMENTS]      what a container starts with: the program with these arguments, as whom it is run
image.sh secrets FOLDER         draws the secrets of an installation by docker-compose.yml, each a file in FOLDER
END
    exit 2
}

fail() {
    echo "image.sh: $*" >&2
    exit 1
}

# As Cargo.lock says and not otherwise, so that the same sources give the same program.
build() {
    CARGO_TARGET_DIR=$1 cargo build --locked --release --package daybook --bin daybook
    mkdir -p "$(dirname "$2")"
    install -m 755 "$1/release/daybook" "$2"
}

# In a root that is this image's alone. Everything belongs to root, who nobody is here, but for the folder of what is kept.
install_program() {
    # By hand, since Debian's small roots have no useradd. A second time changes nothing.
    grep -q "^$user:" /etc/passwd || echo "$user:x:$user_id:$user_id::$home:/usr/sbin/nologin" >>/etc/passwd
    grep -q "^$user:" /etc/group || echo "$user:x:$user_id:" >>/etc/group
    # Those of the public authorities, for calls to where tenants send messages, the identity provider and buckets.
    [ -e /etc/ssl/certs/ca-certificates.crt ] || install_certificates
    mkdir -p "$(dirname "$program")"
    [ "$1" = "$program" ] || install -m 755 "$1" "$program"
    install -d -m 700 -o "$user_id" -g "$user_id" "$home"
    # That it can be run at all is better known now: a library that is missing, a machine of another kind.
    "$program" --version
}

install_certificates() {
    apt-get update
    apt-get install -y --no-install-recommends ca-certificates
    rm -rf /var/lib/apt/lists/*
}

start() {
    [ "$(id -u)" != 0 ] || fail "the program is not to run as root; leave the image's user as it is ($user_id)"
    # Each connection is a file, and the soft limit is often a thousand.
    # shellcheck disable=SC3045 # Debian's sh has both options, and where one has not, the limit stays.
    ulimit -n "$(ulimit -H -n)" 2>/dev/null || true
    # What is kept is for nobody else.
    umask 077
    exec "$program" "$@"
}

random() {
    od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

# Compose mounts each file as it is, and the user of a container is nobody on the machine: so the folder is closed, and the files
# are not.
secrets() {
    [ ! -e "$1" ] || fail "$1 is there already, and secrets that were in use must not be lost; name another folder"
    umask 077
    mkdir -p "$1"
    postgres=$(random 24)
    # A letter first: what begins like a number would be one to NATS.
    nats=n$(random 24)
    secret owner_url "$1" "postgres://daybook:$postgres@postgres:5432/daybook"
    for role in writer projector reader; do
        secret "${role}_url" "$1" "postgres://serve_$role:$(random 24)@postgres:5432/daybook"
    done
    secret nats_url "$1" "nats://daybook:$nats@nats:4222"
    secret master_key "$1" "$(random 32)"
    secret jwt_secret "$1" "$(random 32)"
    secret seal_key "$1" "$(random 32)"
    {
        echo "# What the two servers are told, for: docker compose --env-file $1/servers.env --profile all up"
        # Where compose finds the files: from the folder of its own file, unless the path is whole.
        case $1 in
            /* | ./* | ../*) echo "DAYBOOK_SECRETS=$1" ;;
            *) echo "DAYBOOK_SECRETS=./$1" ;;
        esac
        echo "DAYBOOK_POSTGRES_PASSWORD=$postgres"
        echo "DAYBOOK_NATS_PASSWORD=$nats"
        echo "DAYBOOK_NATS_DEMO_PASSWORD=d$(random 24)"
    } >"$1/servers.env"
}

secret() {
    printf '%s\n' "$3" >"$2/$1"
    chmod 444 "$2/$1"
}

step=${1:-}
[ $# -eq 0 ] || shift
case $step:$# in
    build:2) build "$1" "$2" ;;
    install:1) install_program "$1" ;;
    start:*) start "$@" ;;
    secrets:1) secrets "$1" ;;
    *) usage ;;
esac
