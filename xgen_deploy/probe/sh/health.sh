# What the recorded instances' health endpoints say, each asked once.

health() {
    if command -v curl >/dev/null; then
        ask=ask_curl
    elif command -v wget >/dev/null; then
        ask=ask_wget
    else
        cannot 'neither curl nor wget is installed'
    fi
    key health
    endpoints | while IFS='|' read -r name listen port slot recorded path; do
        case $listen in
        0.0.0.0) listen=127.0.0.1 ;;
        *:*) listen="[${listen#::}]" && listen=$(printf %s "$listen" | sed -e 's/^\[\]$/[::1]/') ;;
        esac
        case $port in *[!0-9]* | '' | ??????*) continue ;; esac
        "$ask" "http://$listen:$port$path"
        sep='{' && str instance "$name" && raw status "$code" && str body "$body"
        started "$name"
        printf '}\n'
    done | json_lines
    key heal
    if [ -f "$state_dir/heal.state" ] && [ -r "$state_dir/heal.state" ]; then
        json_text <"$state_dir/heal.state"
    else
        printf null
    fi
}

# unit_named INSTANCE FIRST SECOND: its units as the request names them, by slot.
unit_named() {
    [ "$1" = "$name" ] || return 0
    case $slot in .b) unit=$3 ;; *) unit=$2 ;; esac
}

# started INSTANCE: the journal of the current start, where the record knows another one. Of an
# instance that the manifest has no more the unit goes by its plain name.
started() {
    unit_named "$1" "xgen-$project-$1.service" "xgen-$project-$1.b.service"
    ask_units
    now=$(run 10 systemctl show --property=InvocationID --value "$unit")
    str run "$now"
    log=
    case $now in
    '' | "$recorded") ;;
    *) log=$(run 10 journalctl --no-pager --output=cat --unit="$unit" "_SYSTEMD_INVOCATION_ID=$now" |
        head -c 200000) ;;
    esac
    str log "$log"
}

# Lines of name, address, port, slot, start and path from the record.
endpoints() {
    flat <"$state_dir/record.json" 2>/dev/null | awk -F '\t' '
        function text(value) { gsub(/^="?|"$/, "", value); return value }
        $1 != "instances" || $2 !~ /^[A-Za-z0-9][A-Za-z0-9_.-]*$/ || length($2) > 60 { next }
        !($2 in known) { known[$2] = 1; name[++n] = $2; listen[$2] = "127.0.0.1"; path[$2] = "/health" }
        $3 == "spec" && $4 == "listen" { listen[$2] = text($5) }
        $3 == "spec" && $4 == "port" { port[$2] = text($5) }
        $3 == "health_path" { path[$2] = text($4) }
        $3 == "slot" { slot[$2] = text($4) }
        $3 == "invocation" && $4 != "=null" { recorded[$2] = text($4) }
        END {
            for (at = 1; at <= n; at++) {
                one = name[at]
                print one "|" listen[one] "|" port[one] "|" slot[one] "|" recorded[one] "|" path[one]
            }
        }'
}

ask_curl() {
    body=$(run 4 curl -s -S -m 3 -w '\n%{http_code}' -- "$1" 2>&1)
    code=${body##*"$LINE"}
    body=$(printf %s "${body%"$LINE"*}" | head -c 2000)
    case $code in 000 | *[!0-9]* | '') code=0 ;; esac
}

ask_wget() {
    if body=$(run 4 wget -q -T 3 -O - -- "$1" 2>&1); then
        code=200
    else
        code=$(run 4 wget -S -T 3 -O /dev/null -- "$1" 2>&1 |
            sed -n -e 's/.*HTTP\/1\.[01] \([0-9][0-9]*\).*/\1/p' | tail -n 1)
    fi
    code=${code:-0}
    body=$(printf %s "$body" | head -c 2000)
}
