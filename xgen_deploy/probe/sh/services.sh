# The project's systemd units: what their files say and what became of them.

services() {
    version=
    [ ! -d /run/systemd/system ] || version=$(run 10 systemctl --version | awk 'NR == 1 { print $2 }')
    if [ -n "$version" ]; then
        units=$(units) || cannot "$units"
    else
        units=
    fi
    str systemd "$version"
    key services
    printf '%s' "$units" | json_lines
}

units() {
    set -- "xgen-$project-*.service"
    # A pattern finds loaded units only; the files on disk are named one by one.
    for file in /etc/systemd/system/"xgen-$project-"*.service /run/systemd/system/"xgen-$project-"*.service; do
        [ ! -e "$file" ] || set -- "${file##*/}" "$@"
    done
    shown=$(run 10 systemctl show --no-pager --property "$UNIT_PROPERTIES" -- "$@" 2>&1) ||
        cannot "systemctl: $(complaint $? "$shown")"
    booted=$(awk -v now="$(date +%s)" '{ printf "%.3f", now - $1 }' /proc/uptime)
    forget
    printf '%s\n\n' "$shown" | while IFS= read -r line; do
        case $line in
        '') unit && forget ;;
        *=*) remember "${line%%=*}" "${line#*=}" ;;
        esac
    done | sort -u
}

forget() {
    id='' load='' active='' sub='' result='' main='' restarts='' code='' status='' file_state=''
    fragment='' drop_ins='' reload=false invocation='' entered=''
}

remember() {
    case $1 in
    Id) id=$2 ;;
    LoadState) load=$2 ;;
    ActiveState) active=$2 ;;
    SubState) sub=$2 ;;
    Result) result=$2 ;;
    MainPID) main=$2 ;;
    NRestarts) restarts=$2 ;;
    ExecMainCode) code=$2 ;;
    ExecMainStatus) status=$2 ;;
    UnitFileState) file_state=$2 ;;
    FragmentPath) fragment=$2 ;;
    DropInPaths) drop_ins=$2 ;;
    NeedDaemonReload) [ "$2" != yes ] || reload=true ;;
    InvocationID) invocation=$2 ;;
    ActiveEnterTimestampMonotonic) entered=$2 ;;
    esac
}

unit() {
    [ -n "$id" ] || return 0
    [ "$load/$active" != not-found/inactive ] || return 0
    digest= owner=
    [ -z "$fragment" ] || { sha256 "$fragment" && look "$fragment" -L; }
    case $file_state in
    enabled*) enabled=true ;;
    '') enabled= ;;
    *) enabled=false ;;
    esac
    sep='{'
    str name "$id"
    str kind unit
    str state "${active:-unknown}"
    str sub_state "$sub"
    str result "$result"
    str sha256 "$digest"
    raw uid "$owner"
    raw enabled "$enabled"
    key overridden
    own_drop_ins | json_lines
    raw needs_reload "$reload"
    raw pid "${main#0}"
    raw restarts "$(whole_number "$restarts")"
    ended=
    [ -n "${main#0}" ] || [ "${code:-0}" = 0 ] || ended=$(whole_number "$status")
    raw exit_status "$ended"
    since=
    [ "${entered:-0}" = 0 ] || since=$(awk -v at="$entered" -v booted="$booted" \
        'BEGIN { printf "%.1f", booted + at / 1000000 }')
    raw since "$since"
    str invocation "$invocation"
    printf '}\n'
}

whole_number() {
    case $1 in *[!0-9]*) ;; *) printf %s "$1" ;; esac
}

# Those meant for this unit; service.d is the distribution's, for every service.
own_drop_ins() {
    printf '%s\n' "$drop_ins" | tr ' ' '\n' | grep . | grep -v '/service\.d/[^/]*$' |
        while IFS= read -r path; do json_string "$path" && echo; done
}
