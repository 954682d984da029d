# A model folder as Hugging Face's libraries write it.

# Members of config.json that matter, from its tokens.
HF_CONFIG='
function copied(  depth, out) {
    out = $0; depth = ($0 ~ /^[{[]$/)
    while (depth > 0 && (getline) > 0) {
        depth += ($0 ~ /^[{[]$/) - ($0 ~ /^[]}]$/)
        out = out $0
    }
    return out
}
function member(name, value) {
    if (value == "null") return
    out[level] = out[level] (out[level] == "" ? "" : ",") "\"" name "\":" value
}
function object(  name, key) {
    out[level] = ""; method[level] = ""
    while ((getline) > 0 && $0 != "}") {
        if ($0 == ",") continue
        key = substr($0, 2, length($0) - 2)
        getline; getline
        if (key == "text_config" && $0 == "{") {
            level++; object(); level--
            member("text_config", "{" out[level + 1] "}")
        } else if (key == "quantization_config" && $0 == "{") {
            method[level] = "null"; quantization()
        } else if (index(kept, " " key " ")) member(key, copied())
        else copied()
    }
    if (method[level] != "") member("quantization_config", "{\"quant_method\":" method[level] "}")
}
function quantization(  key) {
    while ((getline) > 0 && $0 != "}") {
        if ($0 == ",") continue
        key = $0; getline; getline
        if (key == "\"quant_method\"") method[level] = copied()
        else copied()
    }
}
BEGIN {
    kept = " " kept " "; level = 0
    if ((getline) <= 0 || $0 != "{") exit 1
    object()
    if ($0 != "}") exit 1
    print "{" out[0] "}"
}
'

# hf_model FOLDER: the members of ModelFacts.
hf_model() {
    folder=$1
    set --
    all=$(find "$folder" ! -type d | sort)
    old_ifs=$IFS
    IFS=$LINE
    set -f
    for file in $all; do
        [ ! -e "$file" ] || [ -d "$file" ] || set -- "$@" "$file"
    done
    set +f
    IFS=$old_ifs
    str path "$folder"
    str format hf
    raw size "$(for file; do stat -L -c %s -- "$file"; done | awk '{ all += $1 } END { printf "%.0f", all }')"
    str state "$(file_state "$@")"
    if [ "$(stat -L -c %s -- "$folder/config.json")" -le 4194304 ] &&
        config=$(tokens <"$folder/config.json" | awk -v kept="$HF_KEPT" "$HF_CONFIG"); then
        key config
        printf %s "$config"
        str error "$(incomplete "$@")"
    else
        str error 'its config.json is not valid JSON'
    fi
}

# Why the weights are not whole, as far as names and sizes tell.
incomplete() {
    if [ -e "$folder/$HF_INDEX" ]; then
        absent=$(flat <"$folder/$HF_INDEX" | sed -n -e 's/^weight_map	.*	="\(.*\)"$/\1/p' | sort -u |
            while IFS= read -r name; do [ -e "$folder/$name" ] || printf '%s\n' "$name"; done)
        if [ -n "$absent" ]; then
            printf '%s of its weight files are missing: %s' \
                "$(printf '%s\n' "$absent" | grep -c '')" "${absent%%"$LINE"*}"
            return
        fi
    else
        case " $* " in
        *.safetensors\ * | *.bin\ * | *.pt\ * | *.pth\ *) ;;
        *) printf 'has a config.json but no weights' && return ;;
        esac
    fi
    for file; do
        case $file in *.safetensors) ;; *) continue ;; esac
        problem=$(cut_short "$file")
        [ -z "$problem" ] || { printf '%s: %s' "${file##*/}" "$problem" && return; }
    done
}

# A safetensors file begins with its header's length and the header, which tells its size.
cut_short() {
    bytes=$(stat -L -c %s -- "$1")
    length=$(od -An -tu1 -N 8 -- "$1" | awk '
        { for (at = NF; at > 0; at--) value = value * 256 + $at }
        END { printf "%.0f", value }')
    if [ "$((8 + length))" -gt "$bytes" ]; then
        printf 'cut short: has %s bytes, its header alone needs %s' "$bytes" "$((8 + length))"
        return
    fi
    if [ "$length" -gt 100000000 ]; then
        printf 'not a valid safetensors file: its header of %s bytes is over 100 MB' "$length"
        return
    fi
    ends=$(tail -c +9 -- "$1" | head -c "$length" | tr -d ' \n' |
        grep -o '"data_offsets":\[[0-9]*,[0-9]*\]' | awk -F '[],[]' '
            $3 + 0 > end { end = $3 + 0 } END { printf "%.0f", end }')
    needed=$((8 + length + ends))
    case $(od -An -c -j 8 -N 1 -- "$1") in *'{'*) ;; *) printf 'not a valid safetensors file' && return ;; esac
    [ "$bytes" -ge "$needed" ] || printf 'cut short: has %s bytes, needs at least %s' "$bytes" "$needed"
}
