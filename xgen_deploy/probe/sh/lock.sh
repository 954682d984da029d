# Who has the project's lock on this host, and who waits for it: from the kernel's list.

MOST_WAITING=64
OWNER_TEXT=4096

lock() {
    path=$state_dir/lock
    pid=$(holder_of "$path")
    queue=$(for ticket in $(tickets "$path"); do
        [ -z "$(holder_of "$path.queue/$ticket")" ] || owner_text "$path.queue/$ticket"
    done)
    key lock
    if [ -z "$pid$queue" ]; then
        printf null
        return
    fi
    sep='{'
    key holder
    if [ -n "$pid" ]; then owner_text "$path"; else printf null; fi
    raw pid "$pid"
    key queue
    printf '%s' "${queue:+$queue$LINE}" | json_lines
    printf '}'
    sep=,
}

# The process that has a file locked as a whole, if any does.
holder_of() {
    status=$(stat -L -c '%d %i' -- "$1" 2>/dev/null) || return 0
    device=${status% *} inode=${status#* }
    major=$((device >> 8 & 0xfff | device >> 32 & ~0xfff)) minor=$((device & 0xff | device >> 12 & ~0xff))
    awk -v place="$(printf '%02x:%02x:%s' "$major" "$minor" "$inode")" \
        '$2 == "FLOCK" && $6 == place { print $5; exit }' /proc/locks
}

tickets() {
    (cd "$1.queue" 2>/dev/null && ls | grep '^[0-9]*$' | sort -n | head -n "$MOST_WAITING")
}

owner_text() {
    head -c "$OWNER_TEXT" "$1" | json_text
    printf '\n'
}
