# shellcheck shell=bash
# A private Debian 13 root that holds Postgres 17 and NATS, for machines without a Docker
# engine. It is made once per machine, in the user's cache folder, and shared by checkouts.
#
# Debootstrap only resolves, downloads and verifies the packages; we unpack them ourselves and
# run no package script. So nothing is mounted, no device is made, no service is started by a
# package, and this works inside containers that forbid mounts.

root_packages=(postgresql-17 postgresql-17-pgvector postgresql-17-timescaledb nats-server)

# Raise this when the way the root is made changes, so that an older root is not used.
root_recipe=1

# Debootstrap fetches these because other packages ask for them, but the servers never load
# them: LLVM is for Postgres' JIT (off), perl and locales for package scripts (not run).
root_unneeded='libllvm*|libz3-*|perl-modules-*|libperl5*|locales_*'

# The servers run under this uid. It exists in no host file, so no other program on the
# machine runs under it; inside the root it has a name, because initdb asks for one.
root_uid=59432

root_path() {
    local name
    name=$(printf '%s\n' "$root_recipe" "$(dpkg --print-architecture)" "${root_packages[@]}" | sha256sum)
    printf '%s/root-%s\n' "$(cache_folder)" "${name:0:12}"
}

# Says in one line why this machine cannot run the private root, or nothing when it can.
root_obstacle() {
    if [ "$(uname -s)" != Linux ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "it is not Debian or Ubuntu"
    elif [ "$(id -u)" != 0 ]; then
        echo "it needs root"
    elif ! chroot / true 2>/dev/null; then
        echo "chroot is not permitted"
    else
        case $(dpkg --print-architecture) in
            amd64 | arm64) ;;
            *) echo "it is neither amd64 nor arm64" ;;
        esac
    fi
}

# Makes the root unless it exists. Only a complete and tried root gets the final name, so an
# interrupted run leaves nothing that a later one would take for a root.
make_root() {
    local root
    root=$(root_path)
    [ -d "$root" ] && return
    mkdir -p "$(cache_folder)"
    (
        flock 8
        [ -d "$root" ] && exit 0
        # We hold the lock, so whatever is still being built was abandoned.
        rm -rf "$(cache_folder)"/building-*
        say "making a private Debian 13 root with Postgres 17 and NATS (once, about 120 MB to download)"
        building=$(mktemp -d "$(cache_folder)/building-XXXXXX")
        download=$building/download
        # Debootstrap does not cope with spaces in its path.
        case $building in *[[:space:]]*) download=$(mktemp -d /var/tmp/daybook-XXXXXX) ;; esac
        trap 'rm -rf "$building" "$download"' EXIT
        trap 'exit 130' INT TERM HUP
        log=$(cache_folder)/root.log
        : >"$log"
        install_debootstrap >>"$log" 2>&1 8>&- ||
            fail_with_log "$log" "debootstrap could not be installed" || exit
        download_packages "$download" "$log" 8>&- ||
            fail_with_log "$log" "the Debian 13 packages could not be downloaded" || exit
        unpack_root "$download" "$building/root" >>"$log" 2>&1 ||
            fail_with_log "$log" "the Debian 13 packages could not be unpacked" || exit
        try_root "$building/root" >>"$log" 2>&1 ||
            fail_with_log "$log" "the servers do not start in the new root" || exit
        mv "$building/root" "$root"
    ) 8>"$(cache_folder)/root.lock"
}

install_debootstrap() {
    command -v debootstrap >/dev/null && command -v gpgv >/dev/null && command -v wget >/dev/null &&
        [ -e "$(debian_keyring)" ] && return
    export DEBIAN_FRONTEND=noninteractive
    apt-get update || true
    apt-get install -y --no-install-recommends debootstrap gpgv wget debian-archive-keyring
}

debian_keyring() {
    printf '%s\n' "${DAYBOOK_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}"
}

# The Debian mirrors this machine is set up with, then debootstrap's own.
debian_mirrors() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && [ "$ID" = debian ] && printf '%s' "${VERSION_CODENAME:-}") || true
    {
        printf '%s\n' "${DAYBOOK_DEBIAN_MIRROR:-}"
        # The origin is known once the package lists were fetched; before that, on Debian, the
        # suite that is the machine's own release tells the main archive from the others.
        # shellcheck disable=SC2016 # apt fills these in, not the shell.
        apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) x$(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
            awk -v codename="$codename" '
                $3 == "main" && $2 !~ /-/ && ($4 == "xDebian" || ($4 == "x" && $2 == codename)) { print $1 }'
        # What debootstrap itself would take.
        sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)"
    } | sed 's|/*$||' | awk '/^(https?|file):/ && !seen[$0]++'
}

download_packages() {
    local download=$1 log=$2 mirror script=() packages keyring
    keyring=$(debian_keyring)
    packages=$(IFS=, && echo "${root_packages[*]}")
    # An older debootstrap does not know the name trixie; its rules are those of sid.
    [ -e /usr/share/debootstrap/scripts/trixie ] || script=(/usr/share/debootstrap/scripts/sid)
    # Debootstrap knows nothing of apt's proxies.
    : "${http_proxy:=$(apt_proxy http)}" "${https_proxy:=$(apt_proxy https)}"
    export http_proxy https_proxy
    for mirror in $(debian_mirrors); do
        rm -rf "$download"
        echo "from $mirror" >>"$log"
        # The signature is always checked. Debian signs a release with the keys of the one
        # before as well, so the keyring of Debian 12 or Ubuntu 24.04 is enough.
        if debootstrap --download-only --variant=minbase --force-check-gpg --keyring="$keyring" \
            --include="$packages" trixie "$download" "$mirror" ${script[@]+"${script[@]}"} >>"$log" 2>&1; then
            return
        fi
    done
    if grep -q 'unknown key\|Invalid Release signature' "$log"; then
        say "this machine's Debian keyring is too old to verify Debian 13: install a newer debian-archive-keyring, or name a keyring file in DAYBOOK_DEBIAN_KEYRING"
    fi
    return 1
}

apt_proxy() {
    local proxy=''
    eval "$(apt-config shell proxy "Acquire::$1::Proxy")"
    [ "$proxy" = DIRECT ] || printf '%s' "$proxy"
}

unpack_root() {
    local download=$1 root=$2
    mkdir -p "$root"
    # shellcheck disable=SC2016 # The inner shell fills these in.
    find "$download/var/cache/apt/archives" -name '*.deb' -print0 |
        grep -zvE "/($(printf '%s' "$root_unneeded" | sed 's/\*/[^\/]*/g'))[^/]*$" |
        xargs -0 -n 1 -P 2 sh -c 'dpkg-deb --extract "$1" "$0"' "$root" || return
    # What is left is linked into every checkout, so leave out what no server reads.
    (
        cd "$root" &&
            rm -rf boot home media mnt opt root srv tmp run proc sys dev var etc \
                usr/lib/postgresql/17/lib/bitcode usr/lib/postgresql/17/lib/llvmjit* usr/lib/postgresql/17/lib/pgxs \
                usr/lib/apt usr/lib/dpkg usr/include usr/src usr/games \
                usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/i18n usr/share/perl* \
                usr/share/bash-completion usr/share/lintian usr/share/common-licenses
    ) || return
    mkdir -p "$root/etc" "$root/dev" "$root/tmp" "$root/data"
    printf 'daybook:x:%s:%s::/data:/bin/sh\n' "$root_uid" "$root_uid" >"$root/etc/passwd"
    printf 'daybook:x:%s:\n' "$root_uid" >"$root/etc/group"
}

# Package scripts did not run, so a missing library would show only here.
try_root() {
    local root=$1 program
    chroot "$root" /sbin/ldconfig || return
    for program in "$postgres_bin/postgres" "$postgres_bin/initdb" "$postgres_bin/psql" "$nats_bin"; do
        in_root "$root" "$program" --version || return
    done
    [ -e "$root/usr/share/postgresql/17/extension/timescaledb.control" ] &&
        [ -e "$root/usr/share/postgresql/17/extension/vector.control" ]
}

postgres_bin=/usr/lib/postgresql/17/bin
nats_bin=/usr/sbin/nats-server

# Runs a command in a root as the unprivileged uid, with nothing of the caller's environment.
in_root() {
    local root=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC HOME=/data \
        setpriv --no-new-privs chroot --userspec="$root_uid:$root_uid" --groups="$root_uid" "$root" "$@"
}

# The same as a background job in a session of its own. Each step replaces the one before, so the
# pid of the job becomes the server's.
in_root_detached() {
    local root=$1
    shift
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC HOME=/data \
        setsid setpriv --no-new-privs chroot --userspec="$root_uid:$root_uid" --groups="$root_uid" "$root" "$@"
}
