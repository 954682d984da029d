# JSON, printed piece by piece; $sep is what goes before the next member. Empty values are null.

ESCAPE='
BEGIN {
    ORS = ""; odd = "["
    for (code = 1; code < 32; code++) {
        name[sprintf("%c", code)] = sprintf("\\u%04x", code)
        if (code != 10) odd = odd sprintf("%c", code)
    }
    odd = odd "]"
    print "\""
}
function escaped(text, at, one, out) {
    if (text !~ odd) return text
    for (at = 1; at <= length(text); at++) {
        one = substr(text, at, 1)
        out = out ((one in name) ? name[one] : one)
    }
    return out
}
{ if (NR > 1) print before "\\n"; before = escaped($0) }
END { print substr(before, 1, length(before) - 1) "\"" }
'

# A text on stdin as a string; the x keeps its last line end.
json_text() {
    { cat; printf 'x\n'; } | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk "$ESCAPE"
}

json_string() {
    case $1 in
    '') printf null ;;
    *[\\\"[:cntrl:]]*) printf %s "$1" | json_text ;;
    *) printf '"%s"' "$1" ;;
    esac
}

key() {
    printf '%s"%s":' "$sep" "$1"
    sep=,
}

str() {
    key "$1"
    json_string "$2"
}

# A number, true or false; anything else is null.
raw() {
    key "$1"
    case $2 in
    true | false) printf %s "$2" ;;
    *[!0-9.-]* | '') printf null ;;
    *) printf %s "$2" ;;
    esac
}

# Lines on stdin, each a JSON value, as a list.
json_lines() {
    awk 'BEGIN { ORS = ""; print "[" } { if (NR > 1) print ","; print } END { print "]" }'
}
