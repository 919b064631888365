# shellcheck shell=bash
# Private pairs of servers, Postgres and NATS. A pair lives in a folder of its own: its settings
# (way, ports, password), its logs, and below root/data what the servers store.
#
# A pair is started in one of two ways and keeps to it: `docker` (docker-compose.yml, data in
# volumes of a project of its own) or `root` (see root.sh; data in the folder).
#
# The servers of the root way run in a root below the pair's folder: hard links of the shared
# root, or copies on another file system. So nothing needs mounting, and the unprivileged uid need
# not be able to reach the folder by its path (a home of root, say, is closed to it).

# start_servers FOLDER [postgres|nats]...
# Starts what is not running, on the ports it had before.
start_servers() {
    local folder
    mkdir -p "$1" || return
    folder=$(absolute "$1")
    shift
    # A run of the tests ends what its tests began, however they end.
    [ -z "${DAYBOOK_RUN:-}" ] || printf '%s\n' "$folder" >>"$DAYBOOK_RUN/started"
    [ $# -gt 0 ] || set -- postgres nats
    with_lock "$folder/lock" start_servers_locked "$folder" "$@"
}

start_servers_locked() {
    local folder=$1
    shift
    [ -e "$folder/settings" ] || choose_way "$folder" || return
    if start_pair "$folder" "$@"; then
        : >"$folder/ran"
        return
    fi
    # An engine that never got its images is none.
    [ ! -e "$folder/ran" ] && [ "$(read_settings "$folder" && printf '%s' "$WAY")" = docker ] &&
        [ -z "$(root_obstacle)" ] || return
    say "so the servers are installed in a private root"
    (read_settings "$folder" && compose "$folder" down --volumes >/dev/null 2>&1)
    choose_way "$folder" root && start_pair "$folder" "$@" && : >"$folder/ran"
}

start_pair() {
    local folder=$1 server
    shift
    (
        read_settings "$folder"
        prepare_"$WAY" "$folder" || exit
        for server in "$@"; do
            start_"$WAY" "$folder" "$server" || exit
        done
    )
}

stop_servers() {
    local folder
    [ -e "$1/settings" ] || return 0
    folder=$(absolute "$1")
    shift
    [ $# -gt 0 ] || set -- nats postgres
    with_lock "$folder/lock" each_server "$folder" stop "$@"
}

# Ends servers as a crash would, without a word to them.
kill_servers() {
    local folder
    folder=$(absolute "$1")
    shift
    [ $# -gt 0 ] || set -- nats postgres
    with_lock "$folder/lock" each_server "$folder" kill "$@"
}

each_server() {
    local folder=$1 action=$2 server
    shift 2
    (
        read_settings "$folder"
        for server in "$@"; do
            "${action}_$WAY" "$folder" "$server" || exit
        done
    )
}

# Stops the servers of a folder and removes all that they stored.
remove_servers() {
    [ -e "$1" ] || return 0
    stop_servers "$1" || return
    if [ -e "$1/settings" ]; then
        (
            read_settings "$1"
            [ "$WAY" = root ] || compose "$(absolute "$1")" down --volumes --timeout 10 >&2
        ) || return
    fi
    rm -rf "$1"
}

# Prints how to reach a pair, as shell exports.
print_servers() {
    (
        read_settings "$1"
        export_line DATABASE_URL "$(postgres_url)"
        export_line NATS_URL "$(nats_url)"
        export_line NATS_DEMO_URL "$(nats_demo_url)"
        export_line PG_PID "$(pid_"$WAY" "$1" postgres)"
        export_line NATS_PID "$(pid_"$WAY" "$1" nats)"
    )
}

# pid_of FOLDER postgres|nats
pid_of() {
    (read_settings "$1" && pid_"$WAY" "$1" "$2")
}

servers_run() {
    [ -e "$1/settings" ] && [ -n "$(pid_of "$1" postgres)" ] && [ -n "$(pid_of "$1" nats)" ]
}

postgres_url() {
    printf 'postgres://daybook:%s@127.0.0.1:%s/daybook' "$PASSWORD" "$POSTGRES_PORT"
}

# login_url ROLE: the same with the login of one of Daybook's roles, which `daybook migrate --logins` makes. Its password
# follows from the pair's, so that nothing more has to be kept, and tells nothing of it.
login_url() {
    local password
    password=$(printf '%s %s' "$PASSWORD" "$1" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-32)
    printf 'postgres://serve_%s:%s@127.0.0.1:%s/daybook' "$1" "$password" "$POSTGRES_PORT"
}

nats_url() {
    printf 'nats://daybook:%s@127.0.0.1:%s' "$(nats_password)" "$NATS_PORT"
}

# How the integrator of the demo tenant reaches the bus.
nats_demo_url() {
    printf 'nats://demo:%s@127.0.0.1:%s' "$(nats_demo_password)" "$NATS_PORT"
}

# A letter first: what begins like a number would be one to NATS.
nats_password() {
    printf 'n%s' "$PASSWORD"
}

nats_demo_password() {
    printf 'd%s' "$(printf 'demo %s' "$PASSWORD" | hash_text)"
}

# ---- settings ----

read_settings() {
    # shellcheck source=/dev/null
    . "$1/settings"
    PAIR=daybook-$(absolute "$1" | hash_text)
}

write_settings() {
    local folder=$1
    (
        umask 077
        printf '%s=%s\n' WAY "$WAY" PASSWORD "$PASSWORD" POSTGRES_PORT "$POSTGRES_PORT" NATS_PORT "$NATS_PORT" \
            >"$folder/settings.new"
    )
    mv "$folder/settings.new" "$folder/settings"
}

# choose_way FOLDER [WAY]
choose_way() {
    local folder=$1 WAY=${2:-} PASSWORD POSTGRES_PORT NATS_PORT obstacle
    if [ -z "$WAY" ] && docker_answers; then
        WAY=docker
    elif [ -z "$WAY" ]; then
        obstacle=$(root_obstacle)
        if [ -n "$obstacle" ]; then
            say "no Docker engine with compose answers, and the servers cannot be installed here ($obstacle): set DATABASE_URL (Postgres 17 with pgvector and timescaledb) and NATS_URL (NATS 2.10 or newer with JetStream)"
            return 3
        fi
        WAY=root
    fi
    PASSWORD=$(random_hex 16)
    POSTGRES_PORT=$(free_port)
    NATS_PORT=$(free_port)
    write_settings "$folder"
}

# A port of the loopback address that nobody listens on, below those that the kernel gives to
# outgoing connections: a server that is down for a moment must find its port free again.
free_port() {
    local port lowest=32768
    [ ! -r /proc/sys/net/ipv4/ip_local_port_range ] || read -r lowest _ </proc/sys/net/ipv4/ip_local_port_range
    [ "$lowest" -ge 14000 ] || lowest=32768
    while :; do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % (lowest - 10000)))
        port_answers "$port" || break
    done
    printf '%s\n' "$port"
}

port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# ---- the root way ----

prepare_root() {
    local folder=$1 shared
    make_root || return
    shared=$(root_path)
    if [ "$(cat "$folder/root.made-from" 2>/dev/null)" != "$shared" ]; then
        link_root "$folder" "$shared" || return
    fi
    # The servers' own files must be copies: a link would change the shared root.
    rm -f "$folder/root/etc/"*.new
    cp "$scripts/postgres.conf" "$folder/root/etc/postgres.conf.new" &&
        chmod 644 "$folder/root/etc/postgres.conf.new" &&
        (umask 077 && {
            printf 'DAYBOOK_NATS_PASSWORD: "%s"\n' "$(nats_password)"
            printf 'DAYBOOK_NATS_DEMO_PASSWORD: "%s"\n' "$(nats_demo_password)"
            cat "$checkout/nats.conf"
        } >"$folder/root/etc/nats.conf.new") &&
        chown "$root_uid" "$folder/root/etc/nats.conf.new" &&
        mv "$folder/root/etc/postgres.conf.new" "$folder/root/etc/postgres.conf" &&
        mv "$folder/root/etc/nats.conf.new" "$folder/root/etc/nats.conf"
}

link_root() {
    local folder=$1 shared=$2
    rm -rf "$folder/root.new"
    cp -al "$shared" "$folder/root.new" 2>/dev/null || {
        rm -rf "$folder/root.new"
        cp -a --reflink=auto "$shared" "$folder/root.new" || return
    }
    chmod 755 "$folder/root.new"
    # Initdb wants a /dev/null. Where no device can be made, an ordinary file does.
    if ! { mknod "$folder/root.new/dev/null" c 1 3 && : >"$folder/root.new/dev/null"; } 2>/dev/null; then
        rm -f "$folder/root.new/dev/null"
        : >"$folder/root.new/dev/null"
    fi
    chmod 666 "$folder/root.new/dev/null"
    chmod 1777 "$folder/root.new/tmp"
    if [ -d "$folder/root" ]; then
        # An older root is replaced, its data stays.
        rmdir "$folder/root.new/data"
        mv "$folder/root/data" "$folder/root.new/data"
        rm -rf "$folder/root"
    else
        chown "$root_uid:$root_uid" "$folder/root.new/data"
        chmod 700 "$folder/root.new/data"
    fi
    mv "$folder/root.new" "$folder/root"
    printf '%s\n' "$shared" >"$folder/root.made-from"
}

start_root() {
    local folder=$1 server=$2 port
    [ -z "$(pid_root "$folder" "$server")" ] || return 0
    # Children of a killed postmaster end by themselves, but not at once.
    end_processes "$server" 5 || return
    [ "$server" != postgres ] || [ -e "$folder/root/data/postgres/PG_VERSION" ] || init_postgres "$folder" || return
    for _ in 1 2 3 4 5; do
        launch_"$server" "$folder"
        wait_until_ready "$folder" "$server" && return
        # Only a port that someone else took is worth another attempt, with another port.
        tail -n 5 "$folder/$server.log" | grep -qi 'address already in use' || break
        port=$(free_port)
        say "the port of $server is taken by another program, so it moves to $port"
        if [ "$server" = postgres ]; then POSTGRES_PORT=$port; else NATS_PORT=$port; fi
        write_settings "$folder"
    done
    fail_with_log "$folder/$server.log" "$server does not start"
}

init_postgres() {
    local folder=$1 log=$1/postgres.log data=/data/postgres
    rm -rf "$folder/root/data/postgres" "$folder/root/data/initial"
    (umask 077 && printf '%s\n' "$PASSWORD" >"$folder/root/data/password")
    chown "$root_uid" "$folder/root/data/password"
    in_root "$folder/root" "$postgres_bin/initdb" --pgdata=/data/initial --username=daybook --pwfile=/data/password \
        --auth=scram-sha-256 --data-checksums --encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8 \
        --set scram_iterations=256 --set dynamic_shared_memory_type=sysv \
        --no-sync --no-instructions >>"$log" 2>&1 </dev/null || fail_with_log "$log" "initdb failed" || return
    printf 'create database daybook;\n' |
        in_root "$folder/root" "$postgres_bin/postgres" --single -D /data/initial \
            -c unix_socket_directories= postgres >>"$log" 2>&1 ||
        fail_with_log "$log" "the database could not be created" || return
    rm -f "$folder/root/data/password"
    sync -f "$folder/root/data" 2>/dev/null || sync
    mv "$folder/root/data/initial" "$folder/root$data"
}

launch_postgres() {
    local folder=$1 file=$1/root/data/postgres/postmaster.pid pid
    # A lock file of before a reboot names a pid that may be anyone's now.
    if [ -e "$file" ]; then
        read -r pid <"$file" || true
        in_pair "${pid:-none}" || rm -f "$file"
    fi
    launch "$folder" postgres "$postgres_bin/postgres" -D /data/postgres -c config_file=/etc/postgres.conf \
        -c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT" -c cluster_name="$PAIR" -c unix_socket_directories=
}

launch_nats() {
    launch "$1" nats "$nats_bin" --config /etc/nats.conf --name "$PAIR" --addr 127.0.0.1 --port "$NATS_PORT"
}

# In a session of its own, so that Ctrl-C in a terminal reaches only ./dev, which stops it in order.
launch() {
    local folder=$1 server=$2
    shift 2
    in_root_detached "$folder/root" "$@" </dev/null >>"$folder/$server.log" 2>&1 9>&- &
    printf '%s\n' "$!" >"$folder/$server.pid"
    disown "$!"
}

wait_until_ready() {
    local folder=$1 server=$2 deadline=$((SECONDS + 120))
    while [ "$SECONDS" -lt "$deadline" ]; do
        ready_"$server" "$folder" && return
        # A server that ended will not become ready.
        [ -n "$(pid_root "$folder" "$server" starting)" ] || return
        sleep 0.05
    done
    return 1
}

ready_postgres() {
    # The eighth line of its lock file is Postgres' own word on whether it takes connections.
    [ "$(sed -n '8s/ *$//p' "$1/root/data/postgres/postmaster.pid" 2>/dev/null)" = ready ] &&
        [ "$(sed -n 1p "$1/root/data/postgres/postmaster.pid")" = "$(cat "$1/postgres.pid")" ]
}

ready_nats() {
    local greeting=''
    # A NATS server greets each connection, once JetStream has recovered.
    { exec 3<>"/dev/tcp/127.0.0.1/$NATS_PORT" && read -r -t 2 greeting <&3; exec 3>&-; } 2>/dev/null
    case $greeting in *'"jetstream":true'*) ;; *) return 1 ;; esac
}

# The pid of a server that runs, or nothing.
pid_root() {
    local folder=$1 server=$2 pid
    read -r pid 2>/dev/null <"$folder/$server.pid" || return 0
    if in_pair "$pid" || { [ "${3:-}" = starting ] && kill -0 "$pid" 2>/dev/null; }; then
        printf '%s\n' "$pid"
    fi
}

# Whether a process belongs to the pair. A pid can be anyone's after a while, so the uid must be
# ours and the command line must name the pair: Postgres shows its cluster's name in the title of
# every child. (The process' root would tell as well, but containers may not look at it.)
in_pair() {
    [ "$(stat -c %u "/proc/$1" 2>/dev/null)" = "$root_uid" ] && grep -qaF "$PAIR" "/proc/$1/cmdline" 2>/dev/null
}

# The pids of all processes of a server, its children too.
pids_of() {
    local server=$1 file pid name
    while IFS= read -r file; do
        pid=${file//[!0-9]/}
        in_pair "$pid" || continue
        name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        case $server:$name in
            nats:nats* | postgres:postgres*) printf '%s\n' "$pid" ;;
        esac
    done < <(grep -laF "$PAIR" /proc/[0-9]*/cmdline 2>/dev/null)
}

# Waits some seconds for a server's processes to end by themselves, then ends them.
end_processes() {
    local server=$1 deadline=$((SECONDS + $2)) pids
    while pids=$(pids_of "$server") && [ -n "$pids" ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            # shellcheck disable=SC2086 # One word per pid.
            kill -KILL $pids 2>/dev/null || true
            [ "$SECONDS" -lt "$((deadline + 10))" ] || return
        fi
        sleep 0.05
    done
}

stop_root() {
    local folder=$1 server=$2 pid
    pid=$(pid_root "$folder" "$server")
    if [ -n "$pid" ]; then
        # To Postgres this is a fast shutdown: sessions are ended, everything is written.
        kill -INT "$pid" 2>/dev/null || true
    fi
    end_processes "$server" 30 || return
    rm -f "$folder/$server.pid"
}

kill_root() {
    local folder=$1 server=$2 pid
    pid=$(pid_root "$folder" "$server")
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
}

psql_root() {
    local folder=$1
    shift
    in_root "$folder/root" env TERM="${TERM:-dumb}" "$postgres_bin/psql" "$(postgres_url)" "$@"
}

# ---- the docker way ----

docker_answers() {
    command -v docker >/dev/null && within 5 docker info >/dev/null 2>&1 && within 5 docker compose version >/dev/null 2>&1
}

compose() {
    local folder=$1
    shift
    DAYBOOK_POSTGRES_PASSWORD=$PASSWORD DAYBOOK_POSTGRES_PORT=$POSTGRES_PORT DAYBOOK_NATS_PORT=$NATS_PORT \
        DAYBOOK_NATS_PASSWORD=$(nats_password) DAYBOOK_NATS_DEMO_PASSWORD=$(nats_demo_password) \
        docker compose --project-name "$PAIR" --project-directory "$checkout" --file "$checkout/docker-compose.yml" "$@"
}

prepare_docker() {
    # Volumes from before the folder was deleted hold another password.
    [ -e "$1/ran" ] || compose "$1" down --volumes >/dev/null 2>&1 || true
}

start_docker() {
    compose "$1" up --detach --wait --quiet-pull "$2" >>"$1/$2.log" 2>&1 9>&- ||
        fail_with_log "$1/$2.log" "$2 does not start"
}

stop_docker() {
    compose "$1" stop --timeout 30 "$2" >>"$1/$2.log" 2>&1
}

kill_docker() {
    compose "$1" kill --signal KILL "$2" >>"$1/$2.log" 2>&1
}

# The pid as the engine's machine sees it; on Linux that is this machine.
pid_docker() {
    local container
    container=$(compose "$1" ps --quiet --status running "$2" 2>/dev/null) || return 0
    [ -z "$container" ] || docker inspect --format '{{.State.Pid}}' "$container"
}

psql_docker() {
    local folder=$1 terminal=()
    shift
    [ -t 0 ] || terminal=(-T)
    compose "$folder" exec ${terminal[@]+"${terminal[@]}"} postgres psql --username daybook daybook "$@"
}
