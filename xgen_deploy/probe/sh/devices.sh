# Device files of GPUs, and the groups that may open them.

group_id() {
    { getent group "$1" 2>/dev/null || cat /etc/group; } |
        awk -F : -v name="$1" '$1 == name { print $3; exit }'
}

# existing PATTERN…: the paths, one a line; the patterns are ours.
existing() {
    for pattern; do
        for path in $pattern; do
            [ ! -e "$path" ] || printf '%s\n' "$path"
        done
    done
}

devices() {
    key groups
    sep='{'
    for name in $GROUPS_ASKED; do
        gid=$(group_id "$name")
        [ -z "$gid" ] || raw "$name" "$gid"
    done
    for path in $(existing $GATED_DEVICES); do
        raw "$path" "$(stat -L -c %g "$path")"
    done
    [ "$sep" = , ] || printf '{'
    printf '}'
    key device_files
    existing $LISTED_DEVICES | sort -u | while read -r path; do
        json_string "$path" && echo
    done | json_lines
}
