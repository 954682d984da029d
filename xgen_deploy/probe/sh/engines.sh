# The engine builds of this host: whether they are there, and which options they have.

HELP='
{
    sub(/\r$/, "")
    line = $0; sub(/^[ \t]+/, "", line); indent = length($0) - length(line)
    if (line !~ /^-/ || indent >= 8 || index(line, removed)) next
    sub(/[ \t]+$/, "", line)
    if (match(line, /[^, \t][ \t][ \t]+/)) line = substr(line, 1, RSTART)
    count = split(line, word, /[ \t,]/)
    for (at = 1; at <= count; at++) {
        if (match(word[at], /^--?[A-Za-z][-A-Za-z0-9_]*/)) {
            after = substr(word[at], RLENGTH + 1, 1)
            if (after == "" || after == "=" || after == "[") print "flag " substr(word[at], 1, RLENGTH)
        }
    }
    while (match(line, /\[[-A-Za-z0-9_+.]+([|][-A-Za-z0-9_+.]+)+\]|[{][-A-Za-z0-9_+.]+(,[-A-Za-z0-9_+.]+)+[}]/)) {
        print "marker " substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
    }
}
'

# engine HELP LOGIN PULL BINARY IMAGE BACKEND… -- ENTRYPOINT…: one build that several backends name.
engine() {
    has_help=$1 as_login=$2 may_pull=$3 binary=$4 image=$5
    shift 5
    backends=
    while [ "$1" != -- ]; do
        backends="$backends $1"
        shift
    done
    shift
    state='' user='' help='' problem='' pullable=false
    if [ -n "$image" ]; then
        ask_image "$@"
    elif [ -n "$binary" ]; then
        ask_binary
    else
        problem='neither a binary nor an image is named for it'
    fi
    [ -n "$entrypoints" ] || entrypoints=$(sep='' && list entrypoint "$@")
    for backend in $backends; do
        engine_facts
    done
    entrypoints=
}

engine_facts() {
    sep='{'
    str backend "$backend"
    str binary "$binary"
    str image "$image"
    str state "$state"
    str user "$user"
    raw pullable "$pullable"
    printf ',%s' "$entrypoints"
    key flags
    said flag
    key markers
    said marker
    str error "$problem"
    printf '}\n'
}

said() {
    printf '%s\n' "$help" | sed -n -e "s/^$1 //p" | sort -u |
        while read -r one; do printf '"%s"\n' "$one"; done | json_lines
}

ask_binary() {
    [ -f "$binary" ] || { problem="$binary is not there" && return; }
    [ -x "$binary" ] || { problem="$binary is not executable" && return; }
    real=$(readlink -f -- "$binary")
    set -- "$binary"
    for library in "${real%/*}"/lib*.so*; do
        [ ! -f "$library" ] || set -- "$@" "$library"
    done
    state=$(file_state "$@")
    [ "$has_help" = yes ] || return
    as_nobody=
    [ "$(id -u)" != 0 ] || [ "$as_login" = yes ] || as_nobody=yes
    said=$(cd / && binary_help 2>&1)
    understand $? "$said" "$binary --help, run without privileges"
}

binary_help() {
    if [ -z "$as_nobody" ]; then
        run 12 "$binary" --help
    elif setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
        run 12 setpriv --reuid 65534 --regid 65534 --clear-groups "$binary" --help
    else
        run 12 su -s /bin/sh nobody -c '"$0" --help' "$binary"
    fi
}

# understand STATUS OUTPUT WHAT
understand() {
    if [ "$1" != 0 ]; then
        problem="$3: $(complaint "$1" "$2")"
        return
    fi
    help=$(printf '%s\n' "$2" | awk -v removed="$HELP_REMOVED" "$HELP")
    case $help in
    'flag '* | *"${LINE}flag "*) ;;
    *) problem="its --help lists no options; it begins with «$(printf %s "$2" | head -c 120)»" ;;
    esac
}

# ask_image ENTRYPOINT…
ask_image() {
    cli=$(command -v docker) || { problem='Docker is not usable: docker is not installed' && return; }
    inspected=$(docker_cli image inspect --format \
        '{{.Id}}{{println}}{{.Config.User}}{{range .Config.Entrypoint}}{{println}}{{.}}{{end}}' "$image") || {
        not_inspected $? "$inspected"
        return
    }
    state=${inspected%%"$LINE"*}
    inspected=${inspected#*"$LINE"}
    user=${inspected%%"$LINE"*}
    if [ $# = 0 ]; then
        words=$(printf '%s\n' "$inspected" | tail -n +2)
        old_ifs=$IFS
        IFS=$LINE
        set -f
        # shellcheck disable=SC2086
        set -- $words
        set +f
        IFS=$old_ifs
    fi
    entrypoints=$(sep='' && list entrypoint "$@")
    if [ $# = 0 ]; then
        problem="image $image has no ENTRYPOINT; state {image: …, entrypoint: […]}"
    elif [ "$has_help" = yes ]; then
        said=$(image_help "$@")
        understand $? "$said" "$image --help in a container"
    fi
}

# What the engine in the image prints, run without network, mounts, rights or a log.
image_help() {
    first=$1
    shift
    run 12 "$cli" -H "unix://$SOCKET" run --rm --network none --cap-drop ALL \
        --security-opt no-new-privileges --read-only --pids-limit 256 --log-driver none \
        --pull never --user 65534:65534 --label xgen.probe=1 --entrypoint "$first" "$state" "$@" --help 2>&1
}

not_inspected() {
    case $2 in
    *'No such image'* | *'no such image'*) not_here ;;
    *) problem="Docker says of $image: $(complaint "$1" "$2")" ;;
    esac
}

not_here() {
    problem="image $image is not on this host"
    [ "$may_pull" = yes ] || return
    case $image in *[!A-Za-z0-9./:@_-]*) return ;; esac
    code=$(run 5 curl -s -m 5 -o /dev/null -w '%{http_code}' --unix-socket "$SOCKET" \
        "http://localhost/distribution/$image/json")
    case $code in
    200)
        pullable=true
        problem="$problem, but a registry has it"
        ;;
    [1-9]*) problem="$problem; its registry answers with status $code" ;;
    *) problem="$problem; without Python and curl no registry can be asked for it" ;;
    esac
}

engines() {
    key engines
    entrypoints=
    ask_engines | json_lines
}
