# The detector chain: for each vendor the first detector that answers; the CPU never fails.

# pci_gpus VENDOR: addresses of display controllers and processing accelerators.
pci_gpus() {
    for folder in "$R"/sys/bus/pci/devices/*; do
        number_in "$folder/vendor"
        [ "$number" = "$1" ] || continue
        number_in "$folder/class"
        case $((${number:-0} >> 16)) in 3 | 18) printf '%s\n' "${folder##*/}" ;; esac
    done | awk 'BEGIN { ORS = "" } { if (NR > 1) print ", "; print }'
}

render_of() {
    for node in "$1"/drm/renderD*; do
        [ ! -e "$node" ] || { printf %s "${node##*/}" && return; }
    done
}

# pci_members ADDRESS RENDER-NODE
pci_members() {
    str pci_bus_id "$1"
    [ -z "$1" ] || set -- "$1" "${2:-$(render_of "$R/sys/bus/pci/devices/$1")}"
    str render_node "${2:+/dev/dri/$2}"
    set -- "/dev/dri/by-path/pci-$1-render"
    [ -e "$R$1" ] || [ -h "$R$1" ] || set -- ''
    str render_path "$1"
}

# Whether a detector that finds nothing is a surprise.
moot() {
    case $1 in
    4098) set -- "$1" "$R/dev/kfd" ;;
    4318) set -- "$1" "$R"/dev/nvidia[0-9]* ;;
    *) return 1 ;; # software, looked for only where it counts
    esac
    [ -z "$(pci_gpus "$1")" ] && [ ! -e "$2" ]
}

BROKEN=2 # A detector's status where its tool is there and fails; 1 says that nothing is there.

attempt() {
    sep='{' && str detector "$1" && raw ok "$2" && str reason "$3"
    [ -z "$4" ] || raw moot "$4"
    printf '}\n'
}

# detector NAME FUNCTION VENDOR: adds to $attempts, $methods, $cards; fails where another should
# be tried.
detector() {
    found=$("$2" 2>/dev/null)
    status=$?
    if [ "$status" != 0 ] || [ -z "$found" ]; then
        moot=false
        [ "$status" = "$BROKEN" ] || ! moot "$3" || moot=true
        attempts="$attempts$(attempt "$1" false "${found:-answers, and knows of no GPU}" "$moot")$LINE"
        return 1
    fi
    attempts="$attempts$(attempt "$1" true '')$LINE$(printf '%s\n' "$found" |
        sed -n -e 's/^lost //p' | while IFS='|' read -r which why; do
        attempt "$which" false "$why"
    done)$LINE"
    found=$(printf '%s\n' "$found" | sed -n -e 's/^gpu //p')
    [ -n "$found" ] || return 0
    case +$methods+ in
    *"+$1+"*) ;;
    *) methods="${methods:+$methods+}$1" ;;
    esac
    several=${cards:+yes}
    cards="${cards:+$cards$LINE}$found"
}

gpu() {
    attempts='' methods='' cards='' several=''
    detector nvidia-smi nvidia_smi 4318
    nvidia=$?
    detector sysfs amd_sysfs 4098
    [ "$nvidia" = 0 ] || detector sysfs nvidia_proc 4318
    [ "$software_gpu" = 0 ] || detector vulkan software_gpus
    [ -n "$methods" ] || attempts="$attempts$(attempt cpu_fallback true '')"
    key gpu
    sep='{'
    key gpus
    case $several in
    yes) counted_through ;;
    *) printf '%s\n' "$cards" | sed -n -e 's/^[^|]*|\([0-9]*\)|\(.*\)/{"index":\1,\2}/p' ;;
    esac | json_lines
    str detection_method "${methods:-cpu_fallback}"
    key attempts
    printf '%s' "$attempts" | sed -e '/^$/d' | json_lines
    printf '}'
}

# Several vendors are counted through in PCI order, software last.
counted_through() {
    printf '%s\n' "$cards" | sed -e 's/^|/~|/' | sort -t '|' -k 1,1 -k 2,2n |
        sed -e 's/^[^|]*|[^|]*|//' | awk '{ print "{\"index\":" NR - 1 "," $0 "}" }'
}

software_gpus() {
    for folder in $ICD_FOLDERS; do
        for driver in "$R$folder"/lvp_icd*.json; do
            [ ! -e "$driver" ] || break 2
        done
        driver=
    done
    [ -e "$driver" ] ||
        cannot "no software Vulkan driver: no lvp_icd*.json in $(printf %s "$ICD_FOLDERS" | sed -e 's/ /, /g')"
    index=0
    while [ "$index" -lt "$software_gpu" ]; do
        printf 'gpu |%s|' "$index"
        sep=
        str gpu_type unknown
        str device_name 'software Vulkan device (llvmpipe)'
        str uuid "software-$index"
        raw software true
        echo
        index=$((index + 1))
    done
}
