# NVIDIA GPUs by nvidia-smi, else by what the kernel's driver tells.
# A detector prints lines `gpu PCI|INDEX|members` and `lost DETECTOR|reason`.

pci_address() {
    case $1 in
    ????????:??:??.?) set -- "${1#????}" ;;
    ????:??:??.?) ;;
    ??:??.?) set -- "0000:$1" ;;
    *) return ;;
    esac
    printf %s "$1" | tr '[:upper:]' '[:lower:]'
}

smi() {
    run 7 "$smi" "$1" --format=csv,noheader,nounits 2>&1
}

nvidia_smi() {
    smi=$(command -v nvidia-smi) || cannot 'nvidia-smi is not installed'
    fields=$SMI_FIELDS
    until cards=$(smi "--query-gpu=$fields"); do
        status=$?
        unknown=$(printf '%s' "$cards" | sed -n -e 's/.*ield "\([a-z._]*\)" is not a valid field.*/\1/p' | head -n 1)
        case ",$fields," in
        *",${unknown:-none},"*) ;;
        *) smi_complaint && exit "$BROKEN" ;;
        esac
        fields=$(printf '%s' ",$fields," | sed -e "s/,$unknown,/,/" -e 's/^,//' -e 's/,$//')
    done
    users=$(smi --query-compute-apps=gpu_uuid,pid,used_memory) || users=
    printf '%s\n' "$cards" | awk -v fields="$fields" -v all="$SMI_FIELDS" '
        BEGIN { asked = split(fields, name, ","); known = split(all, wanted, ",") }
        /^[ \t]*$/ { next }
        {
            if (split($0, value, ",") != asked) { print "line|" $0; next }
            split("", seen); out = "card"
            for (at = 1; at <= asked; at++) {
                gsub(/^[ \t]+|[ \t\r]+$/, "", value[at])
                if (value[at] !~ /^\[.*\]$/ && value[at] != "N/A") seen[name[at]] = value[at]
            }
            for (at = 1; at <= known; at++) out = out "|" seen[wanted[at]]
            print out "|" value[1]
        }' | while IFS='|' read -r what index uuid name bus total used free rate cap driver shown; do
        if [ "$what" = line ]; then
            lost nvidia-smi:line "$index"
        elif [ -z "$uuid" ] || [ -z "$index" ]; then
            lost "nvidia-smi:GPU $shown" 'nvidia-smi tells nothing of it'
        else
            nvidia_card
        fi
    done
}

# Of a mismatch the last line tells the library's version alone.
smi_complaint() {
    case $cards in
    *"$MISMATCH"*) printf '%s: %s' "$MISMATCH" "$REBOOT" ;;
    *) complaint "$status" "$cards" ;;
    esac
}

lost() {
    printf 'lost %s|%s\n' "$1" "$2"
}

nvidia_card() {
    bus=$(pci_address "$bus")
    printf 'gpu %s|%s|' "$bus" "$index"
    sep=
    str gpu_type nvidia
    str device_name "$name"
    str uuid "$uuid"
    pci_members "$bus"
    raw memory_total_mb "${total%%.*}"
    raw memory_used_mb "${used%%.*}"
    raw memory_free_mb "${free%%.*}"
    raw utilization_percent "${rate%%.*}"
    str compute_capability "$cap"
    str driver_version "$driver"
    key processes
    printf '%s\n' "$users" | while IFS=', ' read -r card pid memory; do
        case $pid in *[!0-9]* | '') continue ;; esac
        case $memory in *[!0-9.]*) memory= ;; esac
        [ "$card" != "$uuid" ] || gpu_process "$pid" "${memory%%.*}"
    done | json_lines
    echo
}

nvidia_proc() {
    folder=$R/proc/driver/nvidia
    if [ ! -r "$folder/version" ]; then
        cards=$(pci_gpus 4318)
        [ -n "$cards" ] || [ -d "$folder" ] || cannot 'no NVIDIA GPU: its driver is not loaded'
        cannot "the NVIDIA driver is not loaded${cards:+, although there are cards: $cards}"
    fi
    driver=$(sed -n -e 's/.*Kernel Module[^0-9]*//' -e 's/^86_64 *//' -e 's/^64 *//' \
        -e 's/^\([0-9][0-9]*\.[0-9][0-9.]*\).*/\1/p' "$folder/version" | head -n 1)
    index=0 users='' total='' used='' free='' rate='' cap=''
    for card in "$folder"/gpus/*; do
        [ -d "$card" ] || continue
        bus=$(information 'Bus Location')
        bus=${bus:-${card##*/}}
        name=$(information Model)
        uuid=$(information 'GPU UUID')
        case $uuid in *\?*) uuid= ;; GPU-*) ;; *) uuid= ;; esac
        nvidia_card
        index=$((index + 1))
    done
}

information() {
    sed -n -e "s/^$1:[[:space:]]*//p" "$card/information" | sed -e 's/[[:space:]]*$//'
}
