# The words of the guides: curl with a token. To be read into a shell (bash) by `. docs/guide/words.sh`, behind
# `eval "$(./dev env)"`. When a step fails they say which one and why, and the steps after it do nothing.

ended=$(mktemp)
token=
position=0

ends() {
    [ -s "$ended" ] || printf '\nThis guide ends here: %s\n' "$1" | tee "$ended" >&2
    return 1
}
call() { curl -sS --fail-with-body -H "Authorization: Bearer ${token:-$DAYBOOK_TOKEN}" "$@"; }

# post PATH BODY [HEADERS]: a command. Sent again it gets the answer that it got, for its key follows from what it says.
send() {
    local path=$1 body=$2
    shift 2
    answer=$(call -H 'Content-Type: application/json' \
        -H "Idempotency-Key: guide$path/$(cksum <<<"$body$*" | cut -d' ' -f1)" "$@" "$DAYBOOK_URL$path" -d "$body")
}
post() {
    [ ! -s "$ended" ] || return 1
    send "$@" || { ends "POST $1 was answered: $answer"; return 1; }
    position=$(grep -oE '"position":[0-9]+' <<<"$answer" | grep -oE '[0-9]+' | head -n 1)
    echo "$answer"
}
# refused RULE PATH BODY: a command that has to be refused by this rule.
refused() {
    [ ! -s "$ended" ] || return 1
    local rule=$1
    shift
    if send "$@" || ! grep -q "$rule" <<<"$answer"; then
        ends "POST $1 was to be refused ($rule), and was answered: $answer"
        return 1
    fi
    echo "$answer"
}
# get PATH: a read, of tables that show what was posted before.
get() {
    [ ! -s "$ended" ] || return 1
    local found
    found=$(call -H "Daybook-After: ${position:-0}" "$DAYBOOK_URL$1") || { ends "GET $1 was answered: $found"; return 1; }
    echo "$found"
}
# await PATH WORD: what Daybook does by itself, for a minute at most.
await() {
    local tries
    for tries in {1..300}; do
        if get "$1" | grep -q "$2"; then return; fi
        [ ! -s "$ended" ] || return 1
        sleep 0.2
    done
    ends "GET $1 shows no $2 after a minute"
}
# The stream that the last command was sent to; and ids that a guide chooses.
stream() { grep -oE '"stream":"[0-9a-f-]+' <<<"$answer" | grep -oE '[0-9a-f-]{36}' | head -n 1; }
id() { printf '00000000-0000-4000-8000-%012d' "$1"; }
# first NAME: of what is read, the first value under this name.
first() { grep -oE "\"$1\": ?\"?[^\",}]+" | head -n 1 | sed -E 's/^[^:]*: ?"?//'; }

# as USER: whoever asks from here on; without a user it is the administrator.
token_of() { ./dev daybook token --user "$1"; }
as() { token=; [ -z "${1-}" ] || token=$(token_of "$1"); }
