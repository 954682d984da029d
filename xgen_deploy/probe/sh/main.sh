# The document: the machine and its GPUs. Nothing else is told, and a reader knows that by `probe`.

main() {
    began=$(date +%s)
    END=$((began + deadline))
    # What is missing on the host is told by a document of its own.
    for tool in awk sed stat tr sort head tail cut date uname id; do
        command -v "$tool" >/dev/null || { answer "{\"error\":\"sh-incomplete\",\"missing\":\"$tool\"}" && return; }
    done
    fields=$(sep='' && machine 2>/dev/null) errors=
    found=$(sep='' && gpu 2>/dev/null) || {
        errors=",$(sep='' && str gpu "${found:-it failed}")"
        found='"gpu":{"detection_method":"cpu_fallback"}'
    }
    errors="$(sep='' && str python "$why")$errors"
    answer "{\"format\":1,\"probe\":\"sh\",$fields,$found,\"errors\":{$errors},\"timings\":{\"total\":$(($(date +%s) - began))}}"
}

answer() {
    printf '\nXGEN-DOC %d -\n%s\n' "$(printf %s "$1" | wc -c)" "$1"
}
