# Where a model's files lie on this host, and what they hold.

# model KEY SOURCE REVISION MODEL_DIR HF_HOME, as in ModelFacts.
model() {
    wanted=$1
    sep='{'
    str key "$1"
    if locate "$2" "$3" "$4" "$5"; then
        inspect "$place"
    else
        str path "$place"
        str error "$problem"
        raw missing "$missing"
    fi
    printf '}\n'
}

# Sets $place, or fails with $problem and $missing.
locate() {
    missing=true problem='is not there'
    case $1 in
    https://*)
        problem='is not downloaded yet'
        downloaded "$1" "$3"
        ;;
    \~/*) place=$(login_home)/${1#??} ;;
    /*) place=$1 ;;
    *)
        snapshot "$4" "${1%%:*}" "$2" || return
        case $1 in
        *:?*)
            problem='is not in the local Hugging Face cache'
            place=$place/${1#*:}
            ;;
        esac
        ;;
    esac
    look "$place" -L
    case $kind in
    absent) return 1 ;;
    denied) missing=false problem="may not be read by $(id -un)" && return 1 ;;
    file) [ -r "$place" ] || { missing=false problem="may not be read by $(id -un)" && return 1; } ;;
    esac
}

# Where apply puts what it downloads.
downloaded() {
    name=${1%%\?*}
    name=${name%%#*}
    name=${name##*/}
    place=$2/xgen/$(printf %s "$1" | sha256sum | cut -c 1-16)/${name:-model}
}

# snapshot HF_HOME REPOSITORY REVISION: below hub/ or, in an older layout, right in HF_HOME.
snapshot() {
    case $2 in
    */*/* | /* | */ | *[!A-Za-z0-9_./-]* | [!A-Za-z0-9_]* | */[!A-Za-z0-9_]*) odd_name "$2" && return 1 ;;
    */*) ;;
    *) odd_name "$2" && return 1 ;;
    esac
    name=models--${2%%/*}--${2#*/}
    for folder in "$1/hub/$name" "$1/$name"; do
        text_of "$folder/refs/$3"
        place=$folder/snapshots/${text:-$3}
        [ ! -d "$place" ] || return 0
    done
    place=$1/hub/$name
    problem="is not in the local Hugging Face cache (revision $3)"
    return 1
}

odd_name() {
    place='' missing=false
    problem="cannot be read: «$1» is neither an absolute path, a URL nor org/name"
}

inspect() {
    if [ -d "$1" ]; then
        inspect_folder "$1"
    elif [ "$(magic_of "$1")" = 71,71,85,70 ]; then
        gguf_model "$1"
    else
        what_it_is "$1"
        str path "$1"
        str format unknown
        raw size "$(stat -L -c %s -- "$1")"
        str error "$problem"
    fi
}

# The first four bytes, as numbers.
magic_of() {
    od -An -tu1 -N 4 -- "$1" | awk '{ print $1 "," $2 "," $3 "," $4 }'
}

inspect_folder() {
    if [ -e "$1/config.json" ]; then
        hf_model "$1"
        return
    fi
    folder=$1
    set --
    for file in "$folder"/*.gguf; do
        [ -e "$file" ] || continue
        case ${file##*/} in
        *-00001-of-*) set -- "$@" "$file" ;;
        *-of-*) ;;
        *) set -- "$@" "$file" ;;
        esac
    done
    if [ $# = 1 ]; then
        inspect "$1"
        return
    fi
    problem='is a folder without config.json or a GGUF file'
    if [ $# -gt 1 ]; then
        problem=$(printf '%s\n' "$@" | head -n 5 | sed -e 's/.*\///' | tr '\n' ,)
        problem="holds several GGUF files; name one: $(printf %s "${problem%,}" | sed -e 's/,/, /g')"
    fi
    str path "$folder"
    str format unknown
    str error "$problem"
}

what_it_is() {
    problem='is neither a GGUF file nor a folder with config.json'
    case $1 in *.gguf) problem='not a valid GGUF: it does not begin with «GGUF»' ;; esac
    [ -s "$1" ] || problem='is empty'
    case $(head -c 100 -- "$1" | tr -d '\0') in
    'version https://git-lfs'*)
        problem='is a Git LFS pointer, not the model: run «git lfs pull» where it came from'
        ;;
    esac
}

models() {
    key models
    ask_models | json_lines
}
