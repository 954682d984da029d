# What the gateway on this host says of its servers, from its runtime socket.

door() {
    said=
    if [ -S "$door" ]; then
        command -v socat >/dev/null || cannot 'socat is not installed, which asks the gateway here'
        said=$(echo 'show stat' | $(at_most 3) socat -t 3 - "UNIX-CONNECT:$door" && echo .) || said=
    fi
    key door
    if [ -n "$said" ]; then
        printf %s "${said%.}" | json_text
    else
        printf null
    fi
}
