# The document: every part in turn, each within the time that is left.

main() {
    began=$(date +%s)
    END=$((began + deadline))
    # What is missing on the host is told by a document of its own.
    for tool in awk sed od stat tr sort head tail cut date uname id; do
        command -v "$tool" >/dev/null || { answer "{\"error\":\"sh-incomplete\",\"missing\":\"$tool\"}" && return; }
    done
    fields=$(sep='' && machine 2>/dev/null) errors=
    part gpu gpu '"gpu":{"detection_method":"cpu_fallback"}'
    part docker docker_daemon '"docker":{"state":"down","reason":"the probe could not ask the Docker daemon"}'
    part engines engines
    part services services
    part models models
    part ports ports
    part files files
    part record record '"record_error":"the probe failed to read it"'
    part devices devices
    part lock lock
    [ "$health" = no ] || part health health
    [ -z "$gateway_stats" ] || part gateway_stats gateway_stats
    [ -z "$watchdog" ] || part watchdog watchdog
    failed python "$why"
    answer "{\"format\":1,\"probe\":\"sh\",$fields,\"errors\":{$errors},\"timings\":{\"total\":$(($(date +%s) - began))}}"
}

answer() {
    printf '\nXGEN-DOC %d -\n%s\n' "$(printf %s "$1" | wc -c)" "$1"
}
