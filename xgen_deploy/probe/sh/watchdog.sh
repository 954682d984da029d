# Whether the timer that looks after the engines runs here, and how its last look ended.

watchdog() {
    shown=$(run 10 systemctl show --no-pager --property "$WATCHDOG_PROPERTIES" -- \
        "$watchdog.timer" "$watchdog.service" 2>&1) || cannot "systemctl: $(complaint $? "$shown")"
    booted=$(awk -v now="$(date +%s)" '{ printf "%.3f", now - $1 }' /proc/uptime)
    key watchdog
    sep='{'
    if [ "$(of timer LoadState)" != not-found ]; then
        str timer "$(of timer ActiveState)"
    else
        str timer ''
    fi
    [ "$(of timer UnitFileState)" = enabled ] && raw enabled true || raw enabled false
    str state "$(of service ActiveState)"
    str result "$(of service Result)"
    status=
    case $(of service ExecMainCode) in 0 | '') ;; *) status=$(of service ExecMainStatus) ;; esac
    raw exit_status "$(whole_number "$status")"
    ended=$(of service ExecMainExitTimestampMonotonic)
    last=
    [ "${ended:-0}" = 0 ] || last=$(awk -v at="$ended" -v booted="$booted" \
        'BEGIN { printf "%.1f", booted + at / 1000000 }')
    raw last_run "$last"
    printf '}'
    sep=,
}

# of KIND PROPERTY: from what systemctl showed of the unit of that kind.
of() {
    printf '%s\n' "$shown" | awk -v RS= -F '\n' -v id="Id=$watchdog.$1" -v name="$2=" '{
        mine = 0
        for (at = 1; at <= NF; at++) if ($at == id) mine = 1
        for (at = 1; mine && at <= NF; at++)
            if (index($at, name) == 1) print substr($at, length(name) + 1)
    }'
}
