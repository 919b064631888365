# shellcheck shell=bash
# What CI runs, and the measurements. Both have servers of their own, removed at the end.

check_everything() {
    local folder failed='' began
    require_check_tools || return
    folder=$(private_folder) || return
    begin_servers "$folder" '' || return
    use_target_folder
    cd "$checkout"

    # All checks run, so that one run shows everything there is to mend.
    check fmt cargo fmt --all --check
    # In increments it would take longer, and nobody edits what CI has built.
    [ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
    say clippy
    began=$SECONDS
    build_with_clippy "$folder/bin" || failed="$failed clippy"
    took clippy "$began"
    check shellcheck check_scripts
    check cargo-deny check_dependencies
    check docker-compose.yml check_compose
    # What clippy finds fault with is built without it, so that the tests run all the same.
    case $failed in
        *clippy*)
            compiler=rustc
            build_programs "$folder/bin" --all-targets || fail "the build failed" || return
            ;;
    esac

    began=$SECONDS
    await_servers || return
    took "servers, behind the build" "$began"
    use_run "$folder"
    if [ -z "${DAYBOOK_SPEC_DIR:-}" ] && [ -d "$checkout/../shared/spec" ]; then
        DAYBOOK_SPEC_DIR=$(absolute "$checkout/../shared/spec")
        export DAYBOOK_SPEC_DIR
    fi
    # Last, so that the output ends with the runner's own summary.
    if cargo nextest --version >/dev/null 2>&1; then
        # Tests wait for servers about half of their time.
        export NEXTEST_TEST_THREADS=${NEXTEST_TEST_THREADS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}
        check tests cargo nextest run --workspace "$@"
    else
        check tests cargo test --workspace "$@"
    fi
    [ -z "$failed" ] || fail "failed:$failed"
}

# Runs a check and remembers when it failed.
check() {
    local name=$1 began=$SECONDS
    shift
    say "$name"
    run "$@" || failed="$failed $name"
    # Nothing comes behind the summary of the tests.
    [ "$name" = tests ] || took "$name" "$began"
}

# took NAME BEGAN: how many seconds a part has taken that began then.
took() {
    say "  $1: $((SECONDS - $2)) s"
}

# What tests and benches find in their environment besides the servers' addresses.
use_run() {
    use_settings "$1"
    # This daybook: the one in the target folder may be another checkout's by now.
    export DAYBOOK_BIN=$1/bin/daybook
    # With this, tests start servers of their own, to end them like a crash would.
    export DAYBOOK_DEV=$checkout/dev
    # Where such servers are noted, so that none outlives the run.
    export DAYBOOK_RUN=$1
}

# Clippy as the compiler of the members, so that one pass over the workspace both checks and builds
# what the tests run. It compiles as rustc does, but for a few optimisations that no test asks for:
# what is measured and served is built without it.
build_with_clippy() {
    compiler=clippy
    build_programs "$1" --all-targets
}

check_scripts() {
    command -v shellcheck >/dev/null || skip "shellcheck is not installed" || return 0
    # The parts are read through ./dev, which shows what they have from one another.
    shellcheck --external-sources --check-sourced dev .ci/run scripts/image.sh
}

check_dependencies() {
    command -v cargo-deny >/dev/null || skip "cargo-deny is not installed" || return 0
    cargo deny --offline check licenses bans sources
}

check_compose() {
    if docker compose version >/dev/null 2>&1; then
        DAYBOOK_POSTGRES_PASSWORD=x docker compose --file docker-compose.yml config --quiet
    elif python3 -c 'import yaml' 2>/dev/null; then
        python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))["services"]' docker-compose.yml
    else
        skip "neither docker compose nor Python with yaml is installed" || return 0
    fi
}

skip() {
    say "  skipped: $1"
    return 1
}

# measured PROGRAM [--release] [ARGUMENTS]...: runs one of the programs that measure, with servers of its own.
measured() {
    local program=$1 folder
    shift
    if [ "${1:-}" = --release ]; then
        profile=release
        shift
    fi
    require_tools || return
    folder=$(private_folder) || return
    # Standard output is the program's alone.
    begin_servers "$folder" '' >&2 || return
    build_programs "$folder/bin" >&2 || fail "the build failed" || return
    [ -x "$folder/bin/$program" ] || fail "the workspace has no program named $program" || return
    await_servers || return
    use_run "$folder"
    run "$folder/bin/$program" "$@"
}
