# What the gateway on this host says of its servers, from its runtime socket.

gateway_stats() {
    said=
    if [ -S "$gateway_stats" ]; then
        command -v socat >/dev/null || cannot 'socat is not installed, which asks the gateway here'
        said=$(echo 'show stat' | $(at_most 3) socat -t 3 - "UNIX-CONNECT:$gateway_stats" && echo .) || said=
    fi
    key gateway_stats
    if [ -n "$said" ]; then
        printf %s "${said%.}" | json_text
    else
        printf null
    fi
}
