# Commands with a deadline, and the parts of the document, none of which spoils another.

case $(timeout 9 echo new 2>/dev/null || timeout -t 9 echo old 2>/dev/null) in
new) TIMEOUT=new ;;
old) TIMEOUT=old ;;
*) TIMEOUT=none ;;
esac

# Seconds until the whole probe must answer, at most $1.
seconds_left() {
    left=$((END - $(date +%s)))
    [ "$left" -le "$1" ] || left=$1
    [ "$left" -ge 1 ] || left=1
}

# run SECONDS COMMAND…: a bare environment, nothing on its input; 137 where time ran out.
run() {
    seconds_left "$1"
    shift
    set -- env -i PATH="$PATH" LC_ALL=C HOME=/nonexistent "$@"
    case $TIMEOUT in
    new) timeout -s KILL "$left" "$@" </dev/null ;;
    old) timeout -t "$left" -s KILL "$@" </dev/null ;;
    none) watched "$@" ;;
    esac
}

# at_most SECONDS: the words before a command of a pipeline; none where there is no time for it.
at_most() {
    [ "$((END - $(date +%s)))" -gt "$(($1 + 2))" ] || return
    case $TIMEOUT in
    new) printf 'timeout -s KILL %s' "$1" ;;
    old) printf 'timeout -t %s -s KILL' "$1" ;;
    esac
}

watched() {
    "$@" </dev/null &
    watched=$!
    (sleep "$left" && kill -9 "$watched") >/dev/null 2>&1 &
    watcher=$!
    wait "$watched"
    set -- $?
    kill "$watcher" 2>/dev/null
    return "$1"
}

# complaint STATUS OUTPUT: one line that says what went wrong.
complaint() {
    case $1 in
    124 | 137) printf 'no answer within %s s' "$left" ;;
    *) { printf '%s\n' "$2" | sed -e '/^[[:space:]]*$/d' | tail -n 1 | cut -c 1-300 | grep . ||
        printf 'exit status %s' "$1"; } | tr -d '\n' ;;
    esac
}

# part NAME FUNCTION ABSENT: the function prints members of the document, or fails with a reason.
part() {
    if [ "$(date +%s)" -ge "$END" ]; then
        found="no answer within $deadline s"
    elif found=$(sep='' && "$2" 2>/dev/null); then
        fields="$fields${found:+,}$found"
        return
    fi
    fields="$fields${3:+,}$3"
    failed "$1" "${found:-it failed}"
}

failed() {
    errors="$errors$(sep=${errors:+,} && str "$1" "$2")"
}

# Fail a part, or a detector, with a reason.
cannot() {
    printf %s "$*"
    exit 1
}
