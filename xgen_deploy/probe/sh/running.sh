# Commands with a deadline.

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

# Fail a detector, with a reason.
cannot() {
    printf %s "$*"
    exit 1
}
