# Listening TCP ports, and who holds them. The kernel prints addresses in its own byte order.

LISTENERS='
function hex(text,  at, value) {
    for (at = 1; at <= length(text); at++) value = value * 16 + index(DIGITS, substr(text, at, 1)) - 1
    return value
}
function octet(text, at) { return hex(substr(text, at, 2)) }
function v4(text) { return octet(text, 7) "." octet(text, 5) "." octet(text, 3) "." octet(text, 1) }
function v6(text,  word, at, group, n, run, from, best, bestfrom, out, zeros) {
    for (word = 0; word < 4; word++) {
        at = word * 8
        group[n++] = octet(text, at + 7) * 256 + octet(text, at + 5)
        group[n++] = octet(text, at + 3) * 256 + octet(text, at + 1)
    }
    bestfrom = -1
    for (at = 0; at < 8; at++) {
        if (group[at] != 0) { run = 0; continue }
        if (run++ == 0) from = at
        if (run > best) { best = run; bestfrom = from }
    }
    zeros = (group[0] + group[1] + group[2] + group[3] + group[4] == 0)
    if (zeros && group[5] == 65535) return "::ffff:" v4(substr(text, 25))
    if (zeros && group[5] == 0 && (group[6] > 0)) return "::" v4(substr(text, 25))
    for (at = 0; at < 8; at++) {
        if (best > 1 && at == bestfrom) { out = out "::"; at += best - 1; continue }
        out = out ((out == "" || out ~ /:$/) ? "" : ":") sprintf("%x", group[at])
    }
    return out
}
BEGIN { DIGITS = "0123456789ABCDEF" }
$4 == "0A" && NF > 9 {
    split($2, parts, ":")
    address = (length(parts[1]) == 8) ? v4(parts[1]) : v6(parts[1])
    print hex(parts[2]), address, $10
}
'

# Lines «inode pid»: the first process of each socket.
socket_owners() {
    ls -n /proc/[0-9]*/fd 2>/dev/null | awk '
        /^\/proc\// { split($0, parts, "/"); pid = parts[3] + 0 }
        / socket:\[[0-9]+\]$/ {
            inode = $NF; gsub(/[^0-9]/, "", inode)
            if (!(inode in owner) || pid < owner[inode]) owner[inode] = pid
        }
        END { for (inode in owner) print "owner", inode, owner[inode] }
    '
}

# Lines «port address pid», the pid empty where we may not know.
port_owners() {
    listening=$(awk "$LISTENERS" /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    { [ -z "$listening" ] || socket_owners; printf '%s\n' "$listening"; } | awk '
        $1 == "owner" { owner[$2] = $3; next }
        NF == 3 { last[$1 " " $2] = $3 > last[$1 " " $2] ? $3 : last[$1 " " $2] }
        END { for (one in last) print one, owner[last[one]] }
    ' | sort -k 1,1n -k 2,2
}

ports() {
    [ -r /proc/net/tcp ] || cannot '/proc/net/tcp cannot be read'
    key ports
    port_owners | while read -r port address pid; do
        sep='{'
        raw port "$port"
        str address "$address"
        raw pid "$pid"
        text=
        [ -z "$pid" ] || text_of "/proc/$pid/comm"
        str process "$text"
        str unit "$([ -z "$pid" ] || process_unit "$pid")"
        printf '}\n'
    done | json_lines
    text_of /proc/sys/net/ipv4/ip_local_port_range
    key ephemeral_ports
    printf %s "${text:-null}" | awk '{ print NF == 2 ? "[" $1 "," $2 "]" : "null" }'
}
