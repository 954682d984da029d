# Files and folders as they lie there.

HASHED=1048576

# A small file's text without line ends around it, empty where it cannot be read.
text_of() {
    text=
    [ -r "$1" ] && [ -f "$1" ] && text=$(head -c 1048576 -- "$1" 2>/dev/null)
}

# $number: a decimal or 0x number in a file.
number_in() {
    text_of "$1"
    number_of "$text"
}

number_of() {
    number=
    case $1 in
    0x | 0x*[!0-9a-fA-F]* | 0x?????????????????*) ;;
    0x*) number=$(($1)) ;;
    *[!0-9]* | '') ;;
    *) number=$1 ;;
    esac
}

sha256() {
    digest=$(sha256sum <"$1" 2>/dev/null) || digest=
    digest=${digest%% *}
}

# sets $kind and, for what is there, $size $mode $owner; look PATH [-L]
look() {
    size='' mode='' owner=''
    seen=$(stat ${2:+"$2"} -c '%f %s %a %u' -- "$1" 2>&1) || {
        kind=absent
        case $seen in *'Permission denied'*) kind=denied ;; esac
        return
    }
    read_status "$seen"
}

read_status() {
    kind=other
    case $1 in
    8???\ *) kind='file' ;;
    4???\ *) kind=dir ;;
    esac
    size=${1#* } mode=${1% *} owner=${1##* }
    mode=$((0${mode##* }))
    size=${size%% *}
    [ "$kind" = file ] || size=
}

# file_facts PATH, as in FileFacts.
file_facts() {
    look "$1" -L
    digest=
    [ "$kind" = file ] && [ "$size" -le "$HASHED" ] && sha256 "$1"
    sep='{'
    str path "$1"
    str kind "$kind"
    case $kind in file | dir | other) status_members ;; esac
    printf '}\n'
}

status_members() {
    raw size "$size"
    raw mode "$mode"
    raw uid "$owner"
    str sha256 "$digest"
}

# Everything beneath a folder, without contents or digests: secrets lie there.
folder_facts() {
    look "$1"
    case $kind in
    absent) return ;;
    dir) [ -r "$1" ] && [ -x "$1" ] || kind=denied ;;
    esac
    if [ "$kind" = denied ]; then
        sep='{' && str path "$1" && str kind denied && printf '}\n'
        return
    fi
    find "$1" ! -path "$1" -exec stat -c '%f %s %a %u|%n' -- {} + 2>/dev/null |
        sort -t '|' -k 2 | head -n 1000 | while IFS='|' read -r status path; do
        read_status "$status"
        digest=
        sep='{' && str path "$path" && str kind "$kind" && status_members && printf '}\n'
    done
}

# Each file's place, size, time and inode as Python's repr() shows them, hashed: file_state PATH…
file_state() {
    command -v sha256sum >/dev/null || return
    state=$(for path; do
        status_line "$path" || exit 1
    done) || return
    printf %s "$state" | sha256sum | cut -c 1-16
}

status_line() {
    status=$(stat -L -c '%s %i %Y %y' -- "$1" 2>/dev/null) || return
    bytes=${status%% *} status=${status#* }
    inode=${status%% *} status=${status#* }
    second=${status%% *}
    fraction=${status##*.}
    fraction=${fraction%% *}
    case $status in *.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*) ;; *) return 1 ;; esac
    case $second in 0) second= && fraction=$((1$fraction - 1000000000)) ;; esac
    place=$(readlink -f -- "$1" && echo .) || return
    place=${place%??}
    printf '(%s, %s, %s%s, %s)' "$(python_repr "$place")" "$bytes" "$second" "$fraction" "$inode"
}

python_repr() {
    case $1 in
    *\\* | *\'*\"* | *\"*\'*) repr=$(printf %s "$1" | sed -e 's/\\/\\\\/g') ;;
    *) repr=$1 ;;
    esac
    case $repr in
    *\'*\"* | *\"*\'*) printf "'%s'" "$(printf %s "$repr" | sed -e "s/'/\\\\'/g")" ;;
    *\'*) printf '"%s"' "$repr" ;;
    *) printf "'%s'" "$repr" ;;
    esac
}

files() {
    key files
    ask_files | json_lines
    key etc_files
    folder_facts "$etc_dir" | json_lines
}

# The project's record, or why it cannot be read.
record() {
    look "$state_dir/record.json" -L
    record_error=
    [ "$kind" = denied ] && record_error="$state_dir/record.json: Permission denied"
    [ "$kind" = absent ] || [ -r "$state_dir/record.json" ] ||
        record_error="$state_dir/record.json: Permission denied"
    [ "$kind" != file ] || [ "$size" -le 16777216 ] ||
        record_error="$state_dir/record.json: is longer than 16 MiB"
    key record
    if [ "$kind" = file ] && [ -z "$record_error" ]; then
        json_text <"$state_dir/record.json"
    else
        printf null
    fi
    str record_error "$record_error"
}
