# shellcheck shell=bash
# Building: with which tools, where to, and so that checkouts do not meet in one target folder.

# Says in one line which tool is missing, and what to install.
require_tools() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust from https://rustup.rs" || return
    cargo --version >/dev/null 2>&1 || fail "cargo does not run: install a toolchain with rustup (rustup toolchain install stable)" || return
    command -v cc >/dev/null || fail "a C linker is missing: apt-get install build-essential, or xcode-select --install on macOS"
}

require_check_tools() {
    require_tools || return
    cargo fmt --version >/dev/null 2>&1 || fail "rustfmt is missing: rustup component add rustfmt" || return
    clippy-driver --version >/dev/null 2>&1 || fail "clippy is missing: rustup component add clippy"
}

# Which wrapper compiles the members: rustc, unless the checks say clippy. Never what the environment calls so.
compiler=rustc

# With which profile of Cargo.toml: dev, which builds soon, or release, which is deployed and measured.
profile=dev

# Checkouts share one target folder outside them, so that a fresh clone finds the dependencies
# built. Cargo gives the members of equal workspaces equal names there: the second checkout would
# be told that all is fresh and run the first one's programs. A compiler wrapper for the members
# makes their names depend on the checkout's path, and theirs alone.
use_target_folder() {
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(cache_folder)/target}
    mkdir -p "$CARGO_TARGET_DIR" "$state"
    CARGO_TARGET_DIR=$(absolute "$CARGO_TARGET_DIR")
    write_wrapper "$state/rustc" 'exec "$@"'
    write_wrapper "$state/clippy" 'exec clippy-driver "$@" -D warnings'
    export RUSTC_WORKSPACE_WRAPPER=$state/$compiler
}

write_wrapper() {
    local text="#!/bin/sh
$2"
    # Cargo looks at the wrapper's time, so leave it alone when it is right.
    [ "$(cat "$1" 2>/dev/null)" = "$text" ] && return
    printf '%s\n' "$text" >"$1.new"
    chmod 755 "$1.new"
    mv "$1.new" "$1"
}

# build_programs FOLDER [TARGETS]...: builds the programs, or other targets of the workspace, and links the programs
# into a folder: the next checkout that builds overwrites those in the target folder.
build_programs() {
    local folder=$1
    shift
    [ $# -gt 0 ] || set -- --bins
    use_target_folder
    mkdir -p "$folder"
    cd "$checkout"
    with_lock "$CARGO_TARGET_DIR/daybook.lock" build_programs_locked "$folder" "$@"
}

build_programs_locked() {
    local folder=$1 name built=$CARGO_TARGET_DIR/$profile
    shift
    [ "$profile" != dev ] || built=$CARGO_TARGET_DIR/debug
    # Of the whole workspace, whatever the targets are: crates are compiled with the same features for all of them.
    run cargo build --workspace --profile "$profile" "$@" || return
    for name in daybook bench hostile; do
        [ -e "$built/$name" ] || continue
        ln -f "$built/$name" "$folder/$name" 2>/dev/null ||
            { rm -f "$folder/$name" && cp "$built/$name" "$folder/$name"; } || return
    done
}
