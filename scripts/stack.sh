# shellcheck shell=bash
# The running stack of a checkout: a pair of servers and one daybook process.

# ---- which servers ----

# Whether the user named servers to use. The ones of this checkout do not count: they are in the
# environment of every shell that evaluated `./dev env`.
servers_given() {
    [ -n "${DATABASE_URL:-}${NATS_URL:-}" ] || return 1
    if [ -e "$state/servers/settings" ] &&
        [ "${DATABASE_URL:-}" = "$(read_settings "$state/servers" && postgres_url)" ]; then
        unset DATABASE_URL NATS_URL
        return 1
    fi
    return 0
}

# begin_servers FOLDER KEEP starts a pair while the caller goes on; await_servers waits for it.
# A pair that is not kept is removed with its data when ./dev ends.
begin_servers() {
    pair=''
    if servers_given; then
        [ -n "${DATABASE_URL:-}" ] && [ -n "${NATS_URL:-}" ] || fail "set both DATABASE_URL and NATS_URL, or neither" || return
        export DATABASE_URL NATS_URL
        say "using the servers of DATABASE_URL and NATS_URL"
        return
    fi
    pair=$1
    pair_kept=$2
    mkdir -p "$pair"
    # At once, because on a machine that cannot have servers nobody should wait for a build first.
    [ -e "$pair/settings" ] || choose_way "$pair" || return
    start_servers "$pair" 9>&- &
    pair_job=$!
    jobs_begun="$jobs_begun $pair_job"
}

await_servers() {
    [ -n "$pair" ] || return 0
    wait "$pair_job" || return
    eval "$(print_servers "$pair" | grep -E '^export (DATABASE|NATS)_URL=')"
}

pair=''
pair_kept=''
pair_job=''
# The daybook process that ./dev must stop when it ends.
served_pid=''
served_start=''

# The last act of every command: what is begun and not handed over is ended.
end_begun() {
    local status=$?
    # A second Ctrl-C must not leave half of it running.
    trap '' HUP INT TERM
    trap - EXIT
    set +e
    if [ -n "$served_pid" ]; then
        stop_process "$served_pid" "$served_start" 30
        rm -f "$state/up"
    fi
    end_jobs
    if [ -n "$pair" ]; then
        if [ -n "$pair_kept" ]; then
            stop_servers "$pair"
        else
            mkdir -p "$state/logs"
            cp "$pair"/*.log "$state/logs/" 2>/dev/null
            remove_run "$pair"
        fi
    fi
    exit "$status"
}

# ---- private runs: tests and benches ----

# Makes a folder for the servers of this run alone.
private_folder() {
    local folder=$state/run-$$
    remove_abandoned_runs >&2
    mkdir -p "$folder"
    printf '%s %s\n' "$$" "$(process_start $$)" >"$folder/owner"
    printf '%s\n' "$folder"
}

# Runs that were killed before they could tidy up.
remove_abandoned_runs() {
    local folder pid start
    for folder in "$state"/run-*; do
        [ -e "$folder/owner" ] || continue
        read -r pid start <"$folder/owner" || true
        process_runs "$pid" "$start" || remove_run "$folder"
    done
}

# Removes a run's servers, and those that its tests started and did not live to stop.
remove_run() {
    local folder=$1 started
    while IFS= read -r started; do
        [ ! -e "$started/settings" ] || remove_servers "$started"
    done 2>/dev/null <"$folder/started"
    remove_servers "$folder"
}

# ---- settings of daybook ----

use_settings() {
    local file=$1/secrets
    if [ ! -e "$file" ]; then
        mkdir -p "$1"
        (
            umask 077
            printf 'master_key=%s\njwt_secret=%s\n' "$(random_hex 32)" "$(random_hex 32)" >"$file.new"
        )
        mv "$file.new" "$file"
    fi
    local master_key='' jwt_secret=''
    # shellcheck source=/dev/null
    . "$file"
    export DAYBOOK_MASTER_KEY=${DAYBOOK_MASTER_KEY:-$master_key}
    export DAYBOOK_JWT_SECRET=${DAYBOOK_JWT_SECRET:-$jwt_secret}
    export DAYBOOK_JWT_ISSUER=${DAYBOOK_JWT_ISSUER:-daybook-dev}
    export DAYBOOK_JWT_AUDIENCE=${DAYBOOK_JWT_AUDIENCE:-daybook}
    export DAYBOOK_ARCHIVE=${DAYBOOK_ARCHIVE:-$state/archive}
}

# The key that signs the book's seals, of this checkout's own. Tests have none but those that they make.
use_seal_key() {
    local file=$state/seal.key
    [ -z "${DAYBOOK_SEAL_KEY:-}${DAYBOOK_SEAL_KEY_FILE:-}" ] || return 0
    if [ ! -e "$file" ]; then
        (
            umask 077
            random_hex 32 >"$file.new"
        )
        mv "$file.new" "$file"
    fi
    export DAYBOOK_SEAL_KEY_FILE=$file
}

# The address to serve on: the one asked for, the one used before, the usual one, a free one.
choose_address() {
    local address
    if [ -n "${DAYBOOK_LISTEN:-}" ]; then
        # What is asked for as "any port" is asked after later, by its number.
        case $DAYBOOK_LISTEN in
            *:0) printf '%s:%s\n' "${DAYBOOK_LISTEN%:*}" "$(free_port)" ;;
            *:*) printf '%s\n' "$DAYBOOK_LISTEN" ;;
            *) fail "DAYBOOK_LISTEN is $DAYBOOK_LISTEN: write host:port, such as 127.0.0.1:8080, or port 0 for a free one" ;;
        esac
        return
    fi
    for address in "$(cat "$state/address" 2>/dev/null)" 127.0.0.1:8080; do
        if [ -n "$address" ] && ! port_answers "${address##*:}"; then
            printf '%s\n' "$address"
            return
        fi
    done
    printf '127.0.0.1:%s\n' "$(free_port)"
}

# The status of GET /health/ready, without asking for a program to get it with.
ready_status() {
    local host=${1%:*} port=${1##*:} status=''
    [ "$host" != 0.0.0.0 ] || host=127.0.0.1
    {
        exec 3<>"/dev/tcp/$host/$port" &&
            printf 'GET /health/ready HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" >&3 &&
            read -r -t 5 _ status _ <&3 &&
            # Closing before the end would reset the connection, and the server might log that.
            while read -r -t 1 _ <&3; do :; done
        exec 3>&-
    } 2>/dev/null
    printf '%s\n' "${status:-none}"
}

# ---- up and down ----

up() {
    local detach='' program address token began=$SECONDS compiled served_with loaded
    case ${1:-} in
        '') ;;
        --detach) detach=yes ;;
        *)
            say "usage: ./dev up [--detach]"
            return 2
            ;;
    esac
    if stack_runs; then
        describe_stack
        return
    fi
    [ -n "${DAYBOOK_BIN:-}" ] || require_tools || return
    mkdir -p "$state"
    exec 7>"$state/up.lock"
    ! command -v flock >/dev/null || flock --nonblock 7 || fail "another ./dev up of this checkout is starting" || return

    begin_servers "$state/servers" kept 7>&- || return
    program=${DAYBOOK_BIN:-$state/bin/daybook}
    [ -n "${DAYBOOK_BIN:-}" ] || build_programs "$state/bin" --bin daybook 7>&- || return
    compiled=$SECONDS
    await_servers || return
    served_with=$SECONDS
    use_settings "$state"
    use_seal_key
    use_logins
    run "$program" migrate ${logins:+--logins} 7>&- || fail "the migrations failed" || return
    run "$program" demo 7>&- || fail "the demo data could not be loaded" || return
    if [ -n "${DAYBOOK_NORTHWIND:-}" ]; then
        # Before policies are at work: its deadlines lie in the past.
        run "$program" demo --northwind "$DAYBOOK_NORTHWIND" 7>&- ||
            fail "the Northwind data could not be loaded from $DAYBOOK_NORTHWIND" || return
    fi

    loaded=$SECONDS
    # Not sooner: another checkout may take the port meanwhile.
    address=$(choose_address) || return
    export DAYBOOK_LISTEN=$address
    serve "$program" "$detach" || return
    wait_until_served "$address" "$detach" || return
    # What comes from outside, as whoever sends it would send it.
    run "$program" demo --to "http://${address/#0.0.0.0:/127.0.0.1:}" 7>&- || fail "the demo's alerts could not be sent" || return
    token=$("$program" token --admin) || fail "no token could be made" || return
    printf '%s\n' "$address" >"$state/address"
    write_stack "$program" "$address"
    printf '\nTimes: compiling %s s, servers %s s more, migrations and demo %s s, start %s s.\n' \
        $((compiled - began)) $((served_with - compiled)) $((loaded - served_with)) $((SECONDS - loaded))
    printf '\nDaybook serves on http://%s\nAdmin token: %s\n' "$address" "$token"
    if [ -n "$detach" ]; then
        printf 'Log: %s\nStop it with ./dev down.\n' "$state/daybook.log"
        # Handed over: it goes on without us.
        served_pid=''
        pair=''
        return
    fi
    printf 'Stop it with Ctrl-C.\n\n'
    exec 7>&-
    wait "$served_pid" || fail "daybook ended with status $?"
}

# What Daybook serves with: a login for each of its roles. On our own servers they are made; on others they are made by
# whoever owns them, and without them the owner does for all.
logins=''
use_logins() {
    if [ -n "$pair" ]; then
        logins=made
        DAYBOOK_WRITER_URL=$(read_settings "$pair" && login_url writer)
        DAYBOOK_PROJECTOR_URL=$(read_settings "$pair" && login_url projector)
        DAYBOOK_READER_URL=$(read_settings "$pair" && login_url reader)
        export DAYBOOK_WRITER_URL DAYBOOK_PROJECTOR_URL DAYBOOK_READER_URL
    elif [ -z "${DAYBOOK_WRITER_URL:-}" ]; then
        say "DATABASE_URL serves for all roles: set DAYBOOK_WRITER_URL, DAYBOOK_PROJECTOR_URL and DAYBOOK_READER_URL to keep them apart"
        export DAYBOOK_UNSAFE_SETTINGS=1
    fi
}

# All that there are: one process does everything.
roles=api,relay,projector,policy,reactor

# Daybook gets a session of its own where that is possible, so that Ctrl-C reaches it once, from
# us, and not a second time from the terminal. It serves without the owner's address if it can.
serve() {
    local program=$1 detach=$2 words=()
    ! command -v setsid >/dev/null || words=(setsid)
    [ -z "${DAYBOOK_WRITER_URL:-}" ] || words=(${words[@]+"${words[@]}"} env -u DATABASE_URL)
    words=(${words[@]+"${words[@]}"} "$program" serve --roles "$roles")
    if [ -n "$detach" ]; then
        "${words[@]}" </dev/null >>"$state/daybook.log" 2>&1 7>&- &
    else
        "${words[@]}" </dev/null 7>&- &
    fi
    served_pid=$!
    served_start=$(process_start "$served_pid")
}

wait_until_served() {
    local address=$1 detach=$2 deadline=$((SECONDS + 300)) status=''
    # A process that has ended is asked after once more: whoever answers then is somebody else's.
    while status=$(ready_status "$address") && { [ "$status" != 200 ] || ! process_runs "$served_pid" "$served_start"; }; do
        if ! process_runs "$served_pid" "$served_start"; then
            if [ -n "$detach" ]; then
                fail_with_log "$state/daybook.log" "daybook ended before it was ready"
            else
                fail "daybook ended before it was ready"
            fi
            return
        fi
        [ "$SECONDS" -lt "$deadline" ] || fail "daybook is not ready after 300 s" || return
        sleep 0.1
    done
}

write_stack() {
    (
        umask 077
        {
            printf 'stack_pid=%q\nstack_start=%q\n' "$served_pid" "$served_start"
            printf 'stack_program=%q\nstack_address=%q\n' "$1" "$2"
            printf 'stack_database_url=%q\nstack_nats_url=%q\n' "$DATABASE_URL" "$NATS_URL"
        } >"$state/up.new"
    )
    mv "$state/up.new" "$state/up"
}

# Whether the stack runs; reads what is known of it.
stack_runs() {
    stack_pid='' stack_start='' stack_program='' stack_address='' stack_database_url='' stack_nats_url=''
    [ -e "$state/up" ] || return 1
    # shellcheck source=/dev/null
    . "$state/up"
    process_runs "$stack_pid" "$stack_start"
}

require_stack() {
    stack_runs || fail "nothing runs here: start it with ./dev up"
}

describe_stack() {
    printf 'Daybook serves on http://%s\n' "$stack_address"
    printf 'daybook:  pid %s\n' "$stack_pid"
    if [ -e "$state/servers/settings" ] &&
        [ "$stack_database_url" = "$(read_settings "$state/servers" && postgres_url)" ]; then
        printf 'postgres: pid %s\nnats:     pid %s\n' "$(pid_of "$state/servers" postgres)" "$(pid_of "$state/servers" nats)"
        printf 'data:     %s\n' "$state/servers"
    else
        printf 'servers:  those of DATABASE_URL and NATS_URL\n'
    fi
}

down() {
    if stack_runs; then
        stop_process "$stack_pid" "$stack_start" 30
    fi
    rm -f "$state/up"
    stop_servers "$state/servers"
}

reset() {
    local answer
    if [ "${1:-}" != --yes ] && [ -t 0 ]; then
        printf 'Delete the data of %s? [y/N] ' "$checkout"
        read -r answer
        case $answer in y | Y | yes) ;; *) return 1 ;; esac
    fi
    down || return
    remove_servers "$state/servers" || return
    remove_abandoned_runs
    rm -rf "$state/secrets" "$state/seal.key" "$state/address" "$state/daybook.log" "$state/logs"
}

# The settings that the running daybook has.
use_stack() {
    require_stack || return
    use_settings "$state"
    use_seal_key
    export DATABASE_URL=$stack_database_url NATS_URL=$stack_nats_url DAYBOOK_LISTEN=$stack_address
}

stack_daybook() {
    use_stack || return
    "$stack_program" "$@"
}

print_stack_env() {
    local token
    use_stack || return
    token=$("$stack_program" token --admin) || fail "no token could be made" || return
    export_line DAYBOOK_URL "http://$stack_address"
    export_line DAYBOOK_TOKEN "$token"
    export_line DATABASE_URL "$DATABASE_URL"
    export_line NATS_URL "$NATS_URL"
    [ ! -e "$state/servers/settings" ] ||
        export_line NATS_DEMO_URL "$(read_settings "$state/servers" && nats_demo_url)"
}

stack_psql() {
    local url
    if servers_given && [ -n "${DATABASE_URL:-}" ]; then
        url=$DATABASE_URL
    elif servers_run "$state/servers"; then
        url=$(read_settings "$state/servers" && postgres_url)
    else
        fail "nothing runs here: start it with ./dev up"
        return
    fi
    if command -v psql >/dev/null; then
        psql "$url" "$@"
    elif [ "$url" = "${DATABASE_URL:-}" ]; then
        fail "psql is missing: apt-get install postgresql-client"
    else
        (
            read_settings "$state/servers"
            psql_"$WAY" "$state/servers" "$@"
        )
    fi
}
