# AMD GPUs from the kernel's files alone: no tools, no root.

mebibytes_in() {
    number_in "$1"
    mebibytes=${number:+$((number / 1048576))}
}

# uevent FOLDER KEY
uevent() {
    sed -n -e "s/^$2=//p" "$1/uevent" 2>/dev/null | tail -n 1
}

amd_sysfs() {
    ours=0
    driven=$(for card in "$R"/sys/class/drm/card*; do
        case ${card##*/card} in *[!0-9]* | '') continue ;; esac
        number_in "$card/device/vendor"
        [ "$number" = 4098 ] || continue
        echo ours
        [ "$(uevent "$card/device" DRIVER)" != amdgpu ] ||
            printf '%s %s\n' "$(uevent "$card/device" PCI_SLOT_NAME)" "$card/device"
    done | sort)
    ours=$(printf '%s\n' "$driven" | grep -c '^ours$')
    driven=$(printf '%s\n' "$driven" | grep -v '^ours$')
    [ -n "$driven" ] || cannot "$(why_no_amd)"
    index=0
    printf '%s\n' "$driven" | while read -r bus folder; do
        amd_card
        index=$((index + 1))
    done
}

why_no_amd() {
    if [ "$ours" != 0 ]; then
        printf '%s AMD cards are there, but the amdgpu driver has none of them' "$ours"
    elif [ -d "$R/sys/module/amdgpu" ]; then
        printf 'the amdgpu driver is loaded but has no card'
    else
        printf 'no AMD GPU: the amdgpu driver is not loaded'
    fi
}

amd_card() {
    render=$(render_of "$folder")
    compute_node "${render#renderD}"
    gfx=$(gfx_name "$target")
    [ -n "$gfx" ] || gfx=$(gfx_by_discovery)
    unique=$(unique_id)
    printf 'gpu %s|%s|' "$bus" "$index"
    sep=
    str gpu_type "$(family "$gfx")"
    str device_name "$(amd_name)"
    str uuid "$unique"
    str hip_uuid "$unique"
    pci_members "$bus" "$render"
    amd_memory
    number_in "$folder/gpu_busy_percent"
    raw utilization_percent "$number"
    str gfx_version "$gfx"
    text_of "$R/sys/module/amdgpu/version"
    str driver_version "$text"
    apu=false
    case " $APUS " in *" ${gfx:-none} "*) apu=true ;; esac
    [ "${chip_cores:-0}" = 0 ] || apu=true
    raw apu "$apu"
    key processes
    compute_users | json_lines
    echo
}

amd_memory() {
    number_in "$folder/mem_info_vram_total" && total=$number
    number_in "$folder/mem_info_vram_used" && used=$number
    raw memory_total_mb "${total:+$((total / 1048576))}"
    raw memory_used_mb "${used:+$((used / 1048576))}"
    free=
    [ -z "$total" ] || [ -z "$used" ] || free=$(((total - used) / 1048576))
    raw memory_free_mb "$free"
    mebibytes_in "$folder/mem_info_gtt_total"
    raw gtt_total_mb "$mebibytes"
    mebibytes_in "$folder/mem_info_gtt_used"
    raw gtt_used_mb "$mebibytes"
}

# Of the compute driver's node for a render node: $gpu_id $target $node_unique $chip_cores
compute_node() {
    gpu_id='' target='' node_unique='' chip_cores=''
    [ -n "$1" ] || return
    for node in "$R"/sys/class/kfd/kfd/topology/nodes/*; do
        found=$(awk -v minor="$1" '
            NF == 2 && $2 ~ /^[0-9]+$/ { seen[$1] = $2 }
            END {
                if (seen["simd_count"] + 0 == 0 || !("drm_render_minor" in seen)) exit
                if (seen["drm_render_minor"] + 0 != minor + 0) exit
                print seen["gfx_target_version"] "|" seen["unique_id"] "|" seen["cpu_cores_count"]
            }' "$node/properties" 2>/dev/null)
        [ -n "$found" ] || continue
        target=${found%%|*} found=${found#*|}
        node_unique=${found%|*} chip_cores=${found#*|}
        number_in "$node/gpu_id"
        gpu_id=$number
    done
}

gfx_name() {
    [ "${1:-0}" = 0 ] || printf 'gfx%d%d%x' $(($1 / 10000)) $(($1 / 100 % 100)) $(($1 % 100))
}

# Where the compute driver is off the card still tells its graphics block's version.
gfx_by_discovery() {
    block=$folder/ip_discovery/die/0/GC/0
    number_in "$block/major" && major=$number
    number_in "$block/minor" && minor=$number
    number_in "$block/revision" && revision=$number
    [ "${major:-0}" -lt 10 ] || printf 'gfx%d%d%x' "$major" "${minor:-0}" "${revision:-0}"
}

family() {
    case $1 in
    gfx9[0-9a-f][0-9a-f]) printf amd_cdna ;;
    gfx1[0-9][0-9a-f][0-9a-f]) printf amd_rdna ;;
    *) printf unknown ;;
    esac
}

# In the form that ROCm's visibility variables take.
unique_id() {
    text_of "$folder/unique_id"
    text=$(printf %s "${text#0x}" | sed -e 's/^0*//')
    case $text in
    *[!0-9a-fA-F]* | ?????????????????* | '') text= ;;
    esac
    if [ -n "$text" ]; then
        printf 'GPU-%16s' "$text" | tr ' ABCDEF' 0abcdef
    elif [ "${node_unique:-0}" != 0 ]; then
        printf 'GPU-%016x' "$node_unique"
    fi
}

amd_name() {
    text_of "$folder/product_name"
    [ -z "$text" ] || { printf %s "$text" && return; }
    number_in "$folder/device" && device=$number
    number_in "$folder/revision" && revision=$number
    [ -n "$device" ] || return
    if [ -n "$revision" ]; then
        for ids in $AMD_IDS; do
            awk -F ',[ \t]*' -v device="$(printf %04X "$device")" -v revision="$(printf %02X "$revision")" '
                toupper($1) == device && toupper($2) == revision {
                    sub(/^[^,]*,[^,]*,[ \t]*/, ""); sub(/[ \t]+$/, ""); print; exit
                }' "$R$ids" 2>/dev/null
        done | head -n 1 | grep . && return
    fi
    printf 'AMD GPU 0x%04x' "$device"
}

compute_users() {
    [ -n "$gpu_id" ] || return
    for folder in "$R"/sys/class/kfd/kfd/proc/*; do
        mebibytes_in "$folder/vram_$gpu_id"
        [ "${number:-0}" = 0 ] || case ${folder##*/} in
        *[!0-9]*) ;;
        *) gpu_process "${folder##*/}" "$mebibytes" ;;
        esac
    done
}
