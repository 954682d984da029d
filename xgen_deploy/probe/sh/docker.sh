# The Docker daemon through its own command line, and the containers that are this project's.

SOCKET=/var/run/docker.sock

docker_cli() {
    run 8 "$cli" -H "unix://$SOCKET" "$@" 2>&1
}

docker_daemon() {
    cli=$(command -v docker) || cli=
    if [ ! -S "$SOCKET" ]; then
        if [ -n "$cli" ]; then
            no_docker down "$cli is installed but $SOCKET is not there"
        else
            no_docker absent "Docker is not installed: there is no $SOCKET"
        fi
    elif [ ! -w "$SOCKET" ]; then
        no_docker denied "this login may not use $SOCKET"
    elif [ -z "$cli" ]; then
        no_docker down "without Python the daemon is asked through docker, which is not installed"
    elif info=$(docker_cli info --format '{{json .}}'); then
        usable_docker
    else
        no_docker down "the Docker daemon says: $(complaint $? "$info")"
    fi
}

no_docker() {
    key docker
    sep='{' && str state "$1" && str cli "$cli" && str reason "$2" && printf '}'
}

usable_docker() {
    info=$(printf '%s\n' "$info" | grep '^{' | tail -n 1 | flat)
    version=$(info_value ServerVersion)
    [ -n "$version" ] || { no_docker down 'the Docker daemon does not tell its version' && return; }
    containers=$(containers) || cannot "$containers"
    key docker
    sep='{'
    str state ok
    str version "$version"
    str cli "$cli"
    case $fields in *'"gpu_type":"nvidia"'*) ways_to_gpus ;; esac
    key containers
    printf '%s' "$containers" | json_lines
    printf '}'
}

# NVIDIA's alone go that way.
ways_to_gpus() {
    key runtimes
    printf '%s\n' "$info" | sed -n -e 's/^Runtimes	\([^	]*\)	.*/"\1"/p' | sort -u | json_lines
    key cdi_devices
    cdi_devices | sort -u | while read -r device; do json_string "$device" && echo; done | json_lines
}

info_value() {
    printf '%s\n' "$info" | sed -n -e "s/^$1	=\"\\(.*\\)\"\$/\\1/p" | head -n 1
}

# From the daemon where it tells (since 28.2), else from the folders that it reads.
cdi_devices() {
    if printf '%s\n' "$info" | grep -q '^DiscoveredDevices	'; then
        printf '%s\n' "$info" | awk -F '\t' '
            $1 != "DiscoveredDevices" || NF < 4 { next }
            $3 == "Source" { from[$2] = substr($4, 2) }
            $3 == "ID" { id[$2] = substr($4, 3, length($4) - 3) }
            END { for (one in id) if (from[one] == "\"cdi\"") print id[one] }'
        return
    fi
    printf '%s\n' "$info" | sed -n -e 's/^CDISpecDirs	.*	="\(.*\)"$/\1/p' | while read -r folder; do
        for file in "$folder"/*.json "$folder"/*.yaml "$folder"/*.yml; do
            [ ! -f "$file" ] || devices_of "$file"
        done
    done
}

# As nvidia-ctk and amd-ctk write it.
devices_of() {
    case $1 in
    *.json)
        flat <"$1" | awk -F '\t' '
            $1 == "kind" { kind = substr($2, 3, length($2) - 3) }
            $1 == "devices" && $3 == "name" { name[++n] = substr($4, 3, length($4) - 3) }
            END { for (at = 1; at <= n; at++) print kind "=" name[at] }'
        ;;
    *)
        sed -e 's/"//g' "$1" | awk '
            /^kind:/ { kind = $2 }
            /^[ \t]*(-[ \t]+)?name:/ { name[++n] = $NF }
            END { for (at = 1; kind != "" && at <= n; at++) print kind "=" name[at] }'
        ;;
    esac
}

CONTAINER='{"name":{{json .Name}},"id":{{json .Id}},"image_id":{{json .Image}},"state":{{json .State.Status}},"labels":{{if .Config.Labels}}{{json .Config.Labels}}{{else}}{}{{end}},"ports":[{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}} {{end}}{{end}}],"pid":{{if .State.Pid}}{{.State.Pid}}{{else}}null{{end}},"exit_code":{{if .State.Running}}null{{else}}{{.State.ExitCode}}{{end}},"started_at":{{json .State.StartedAt}},"restarts":{{.RestartCount}},"oom_killed":{{json .State.OOMKilled}}}'

# Docker's stamps as seconds since 1970, null for its year 1; ports in order, each once.
CONTAINER_VALUES='
function days(year, month, day) {
    if (month < 3) { year--; month += 12 }
    return 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * month - 457) / 5) + day - 719469
}
function epoch(text,  part, rest, sign, offset) {
    if (text !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T/ || text ~ /^0001/) return "null"
    split(substr(text, 1, 19), part, /[-T:]/)
    rest = substr(text, 20); offset = 0
    if (match(rest, /[-+][0-9][0-9]:[0-9][0-9]$/)) {
        sign = substr(rest, RSTART, 1) "1"
        offset = sign * (substr(rest, RSTART + 1, 2) * 3600 + substr(rest, RSTART + 4, 2) * 60)
    }
    sub(/[-+Z].*$/, "", rest)
    return sprintf("%.3f", days(part[1], part[2], part[3]) * 86400 + part[4] * 3600 + part[5] * 60 + part[6] - offset + ("0" rest))
}
function ordered(text,  count, port, at, to, one, out, last) {
    count = split(text, port, " ")
    for (at = 2; at <= count; at++) {
        one = port[at]
        for (to = at - 1; to > 0 && port[to] + 0 > one + 0; to--) port[to + 1] = port[to]
        port[to + 1] = one
    }
    for (at = 1; at <= count; at++) {
        if (port[at] ~ /^[0-9]+$/ && port[at] != last) out = out (out == "" ? "" : ",") port[at]
        last = port[at]
    }
    return out
}
/^[{]/ {
    sub(/"name":"\//, "\"name\":\"")
    if (match($0, /"started_at":"[^"]*"/)) {
        stamp = substr($0, RSTART + 14, RLENGTH - 15)
        before = substr($0, 1, RSTART + 12); after = substr($0, RSTART + RLENGTH)
        $0 = before epoch(stamp) after
    }
    if (match($0, /"ports":\[[^]]*\],"pid":/)) {
        $0 = substr($0, 1, RSTART + 8) ordered(substr($0, RSTART + 9, RLENGTH - 17)) substr($0, RSTART + RLENGTH - 8)
    }
    print
}
'

containers() {
    ids=$(for filter in "label=xgen.project=$project" "name=^/?xgen-$project-"; do
        docker_cli ps -a -q --no-trunc --filter "$filter" ||
            cannot 'the Docker daemon lists no containers'
    done) || cannot "$ids"
    ids=$(printf '%s\n' "$ids" | grep '^[0-9a-f]*$' | awk 'NF && !seen[$0]++')
    [ -z "$ids" ] || docker_cli inspect --type container --format "$CONTAINER" $ids |
        awk "$CONTAINER_VALUES"
}
