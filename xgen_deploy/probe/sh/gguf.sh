# The header of a GGUF file, from od's numbers.

# Prints «key value» lines of the essentials, or «! reason». With `brief` it ends where the
# vocabulary begins, which is most of the header.
GGUF='
function cut() { problem = "cut short: it ends after " size " bytes, inside its header" }
function more() {
    if ((getline) <= 0) { if (size <= limit) cut(); exit }
    at = 1
}
function byte() {
    if (done >= size) { cut(); exit }
    if (at > 16) more()
    done++
    return $(at++) + 0
}
function unsigned(count,  value, weight) {
    for (weight = 1; count > 0; count--) { value += byte() * weight; weight *= 256 }
    return value
}
function signed(count,  value, limit) {
    value = unsigned(count); limit = 256 ^ count
    return value >= limit / 2 ? value - limit : value
}
function skip(count,  rest) {
    if (done + count > size) { cut(); exit }
    done += count
    for (rest = 17 - at; count > rest; rest = 16) { count -= rest; more() }
    at += count
}
function nonsense(what) { problem = "not a valid GGUF: it " what; exit }
function text_length(  length_) {
    length_ = unsigned(8)
    if (length_ > 16777216) nonsense("claims a text of " sprintf("%.0f", length_) " bytes")
    return length_
}
function string(  count, left, one, out) {
    count = text_length(); left = count < 1024 ? count : 1024; count -= left
    while (left-- > 0) { one = byte(); out = out sprintf("%c", one < 32 ? 32 : one) }
    skip(count)
    return out
}
function array(depth,  kind, count) {
    kind = unsigned(4); count = unsigned(8)
    if (count > 268435456 || depth > 4) nonsense("claims an array of " sprintf("%.0f", count) " values")
    if (kind == 8) { while (count-- > 0) skip(text_length()); return "" }
    if (kind == 9) { while (count-- > 0) array(depth + 1); return "" }
    if (!(kind in width)) nonsense("holds an array of the unknown type " kind)
    skip(count * width[kind])
    return ""
}
function value(kind) {
    if (kind == 8) return string()
    if (kind == 9) return array(1)
    if (!(kind in width)) nonsense("holds a value of the unknown type " kind)
    if (kind == 6 || kind == 12) { skip(width[kind]); return "" }
    if (kind == 1 || kind == 3 || kind == 5 || kind == 11) return sprintf("%.0f", signed(width[kind]))
    return sprintf("%.0f", unsigned(width[kind]))
}
function tensors_end(count,  dims, elements, kind, from, bytes, end) {
    while (count-- > 0) {
        skip(text_length()); dims = unsigned(4); elements = 1
        if (dims > 8) nonsense("claims a tensor of " dims " dimensions")
        while (dims-- > 0) elements *= unsigned(8)
        kind = unsigned(4); from = unsigned(8); bytes = 0
        if (kind in block) {
            split(block[kind], of, ":")
            bytes = int((elements + of[1] - 1) / of[1]) * of[2]
        }
        if (from + bytes > end) end = from + bytes
    }
    return end
}
function header(  keys, tensors, magic, name, kind, seen, needed) {
    at = 17; magic = unsigned(4)
    if (magic != 1179993927) { problem = "not a valid GGUF: it does not begin with «GGUF»"; exit }
    version = unsigned(4)
    if (version != 2 && version != 3) {
        problem = "not a valid GGUF: version " version "; this tool reads 2 and 3"; exit
    }
    tensors = unsigned(8); keys = unsigned(8)
    if (tensors > 1048576 || keys > 16384) {
        nonsense("claims " sprintf("%.0f", tensors) " tensors and " sprintf("%.0f", keys) " keys")
    }
    print "version " version; print "tensors " sprintf("%.0f", tensors)
    while (keys-- > 0) {
        name = string()
        if (brief && name ~ /^tokenizer\./) exit
        kind = unsigned(4); seen = value(kind)
        print ((kind == 8 || kind == 6 || kind == 12) ? "text " : "count ") name " " seen
        if (name == "general.alignment" && seen > 0) alignment = seen
    }
    needed = tensors_end(tensors)
    if (tensors) needed += int((done + alignment - 1) / alignment) * alignment
    else needed = done
    if (size < needed) problem = "cut short: has " size " bytes, needs at least " sprintf("%.0f", needed)
    whole = 1
}
BEGIN {
    split("1 1 2 2 4 4 4 1 x x 8 8 8", sizes, " ")
    for (kind = 0; kind < 13; kind++) if (sizes[kind + 1] != "x") width[kind] = sizes[kind + 1]
    count = split(blocks, each, " ")
    for (; count > 0; count--) {
        split(each[count], of, "="); block[of[1]] = of[2]
    }
    alignment = 32
    header()
    exit
}
END { if (problem) print "! " problem; else if (whole) print "whole" }
'
# gguf_keys PATH SIZE BRIEF; no more is read than the longest headers have.
gguf_keys() {
    limit=67108864
    [ "$3" = 0 ] || limit=1048576
    od -An -v -tu1 -N "$limit" -- "$1" 2>/dev/null |
        $slowly awk -v size="$2" -v limit="$limit" -v brief="$3" -v blocks="$GGUF_BLOCKS" "$GGUF"
}

# read_gguf PATH SIZE: $header, and $problem. The whole header where time allows.
read_gguf() {
    slowly=
    header=$(gguf_keys "$1" "$2" 1)
    slowly=$(at_most 10)
    case $header in
    '! '* | *"$LINE! "*) ;;
    *) [ -z "$slowly" ] || whole=$(gguf_keys "$1" "$2" 0) && header=$whole ;;
    esac
    problem=$(printf '%s\n' "$header" | sed -n -e 's/^! //p')
}

# gguf_key KIND NAME, the name as a pattern.
gguf_key() {
    printf '%s\n' "$header" | sed -n -e "s/^$1 $2 //p" | tail -n 1
}

header_number() {
    printf '%s\n' "$header" | sed -n -e "s/^$1 //p"
}

gguf_number() {
    key "$1"
    number=$(gguf_key count "$architecture\\.$2")
    printf %s "${number:-null}"
}

# gguf_essentials PARTS, as in GGUFFacts.
gguf_essentials() {
    architecture=$(gguf_key text 'general\.architecture')
    sep='{'
    raw version "$(header_number version)"
    str architecture "$architecture"
    str name "$(gguf_key text 'general\.name')"
    architecture=$(printf %s "$architecture" | sed -e 's/[^A-Za-z0-9_-]/./g')
    gguf_number layers block_count
    gguf_number context_length context_length
    gguf_number embedding_length embedding_length
    gguf_number head_count 'attention\.head_count'
    gguf_number pooling_type pooling_type
    str quantization "$(quantization "$(gguf_key count 'general\.file_type')")"
    tensors=$(gguf_key count 'split\.tensors\.count')
    case $tensors in 0 | '') tensors=$(header_number tensors) ;; esac
    raw tensor_count "$tensors"
    raw split_count "$1"
    printf '}'
}

quantization() {
    for one in $QUANTIZATIONS; do
        [ "${one%%=*}" != "$1" ] || printf %s "${one#*=}"
    done
}

# gguf_model PATH: the members of ModelFacts for a model in one file or in several.
gguf_model() {
    path=$1 parts=1 problem='' stem=''
    case $1 in
    *-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].gguf) name_parts "$1" ;;
    esac
    set -- "$path"
    if [ -n "$stem" ] && [ "$part" = 00001 ]; then
        set --
        while [ $# -lt "$parts" ]; do
            set -- "$@" "$stem-$(printf %05d $(($# + 1)))-of-$digits.gguf"
        done
        absent_parts "$@"
    elif [ -n "$stem" ]; then
        problem="is part $number; name the first one: $stem-00001-of-$digits.gguf"
    fi
    total=0
    shown=$#
    for file; do
        shift
        [ -e "$file" ] || continue
        set -- "$@" "$file"
        total=$((total + $(stat -L -c %s -- "$file")))
    done
    state=$(file_state "$@")
    gguf=
    [ -n "$problem" ] || gguf_headers "$@"
    str path "$path"
    str format gguf
    raw size "$total"
    str state "$state"
    str error "$problem"
    key gguf
    printf %s "${gguf:-null}"
}

# Of STEM-00001-of-00003.gguf.
name_parts() {
    stem=${1%.gguf}
    digits=${stem##*-of-}
    stem=${stem%-of-*}
    part=${stem##*-}
    stem=${stem%-*}
    parts=$((1$digits - 100000))
    number=$((1$part - 100000))
}

absent_parts() {
    count=0 names=
    for file; do
        [ -e "$file" ] && continue
        count=$((count + 1))
        case $count in
        1) names=${file##*/} ;;
        2 | 3) names="$names, ${file##*/}" ;;
        4) names="$names…" ;;
        esac
    done
    [ "$count" = 0 ] || problem="$count of its $parts files are missing: $names"
}

gguf_headers() {
    for file; do
        read_gguf "$file" "$(stat -L -c %s -- "$file")"
        if [ -n "$problem" ]; then
            [ $# = 1 ] || problem="${file##*/}: $problem"
            return
        fi
        [ "$file" = "$path" ] || continue
        several=
        [ $# = 1 ] || several=$#
        gguf=$(gguf_essentials "$several")
        split=$(gguf_key count 'split\.count')
        case $split in '' | 0) split=1 ;; esac
        case $header in *"${LINE}whole") ;; *) split=$# ;; esac
        if [ "$split" != $# ]; then
            problem="its header says $split files, its name $#: keep the names it came with"
            return
        fi
    done
}
