# shellcheck shell=bash
# Words that every part of ./dev uses. Bash 3.2 must do, for macOS has no newer one.

say() {
    printf 'dev: %s\n' "$*" >&2
}

fail() {
    say "$@"
    return 1
}

# Fails with the end of a log, so that nobody has to look for it.
fail_with_log() {
    say "$2; the end of $1:"
    tail -n 15 "$1" >&2
    return 1
}

absolute() {
    (cd "$1" && pwd -P)
}

export_line() {
    printf "export %s='%s'\n" "$1" "$2"
}

random_hex() {
    od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

# A short name for a text.
hash_text() {
    { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-12
}

cache_folder() {
    printf '%s/daybook\n' "${XDG_CACHE_HOME:-$HOME/.cache}"
}

within() {
    local seconds=$1
    shift
    if command -v timeout >/dev/null; then timeout "$seconds" "$@"; else "$@"; fi
}

# Runs a function while holding a lock. Whatever outlives the function must be started without
# descriptor 9 (9>&-), or it would hold the lock for as long as it runs.
with_lock() {
    local file=$1
    shift
    if ! command -v flock >/dev/null; then
        "$@"
        return
    fi
    {
        if ! flock --nonblock 9; then
            say "waiting for another ./dev that holds $file"
            flock 9
        fi
        "$@"
    } 9>"$file"
}

# ---- processes ----

# Runs a command so that a signal to ./dev is answered at once, and not after the command's end.
run() {
    local job
    "$@" 9>&- &
    job=$!
    jobs_begun="$jobs_begun $job"
    wait "$job"
}

jobs_begun=''

# Ends the jobs that still run, and all that they started.
end_jobs() {
    local job
    for job in $jobs_begun; do
        if kill -0 "$job" 2>/dev/null; then
            # shellcheck disable=SC2046 # One word per pid.
            kill -TERM $(descendants "$job") "$job" 2>/dev/null || true
            wait "$job" 2>/dev/null || true
        fi
    done
    jobs_begun=''
}

descendants() {
    processes_and_parents | awk -v top="$1" '
        { children[$2] = children[$2] " " $1 }
        function visit(pid,   list, n, i) {
            n = split(children[pid], list, " ")
            for (i = 1; i <= n; i++) { print list[i]; visit(list[i]) }
        }
        END { visit(top) }'
}

processes_and_parents() {
    if [ -r /proc/self/stat ]; then
        # The name, in parentheses, may hold spaces.
        cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) [A-Za-z] \([0-9]*\) .*/\1 \2/p'
    else
        ps -axo pid=,ppid=
    fi
}

# When a process started, or nothing when there is none. With its pid this names one process for
# ever: a pid alone may be another program's after a while, or after a reboot.
process_start() {
    if [ -r /proc/self/stat ]; then
        local stat
        { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
        # shellcheck disable=SC2086 # The fields after the name, which may hold spaces.
        set -- ${stat##*) }
        # A process that only waits to be reaped has ended.
        [ "$1" = Z ] || printf '%s-%s\n' "${20}" "$(cat /proc/sys/kernel/random/boot_id)"
    else
        ps -o lstart= -p "$1" 2>/dev/null | tr ' ' '-'
    fi
}

process_runs() {
    [ -n "$1" ] && [ "$(process_start "$1")" = "$2" ]
}

# Stops one process, politely for some seconds.
stop_process() {
    local pid=$1 start=$2 deadline=$((SECONDS + $3))
    process_runs "$pid" "$start" || return 0
    kill -TERM "$pid" 2>/dev/null || true
    while process_runs "$pid" "$start"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "process $pid did not stop in $3 s and is killed"
            kill -KILL "$pid" 2>/dev/null || true
            deadline=$((SECONDS + 5))
        fi
        sleep 0.05
    done
}
