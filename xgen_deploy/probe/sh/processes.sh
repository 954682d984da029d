# What /proc tells of a process.

# The path in systemd's hierarchy, or in the unified one.
process_cgroup() {
    awk -F : '
        { name = ($2 == "") ? $1 : $2; sub(/^[^:]*:[^:]*:/, ""); path[name] = $0 }
        END { print ("name=systemd" in path) ? path["name=systemd"] : path["0"] }
    ' "/proc/$1/cgroup" 2>/dev/null
}

process_user() {
    uid=$(stat -c %u "/proc/$1" 2>/dev/null) && user_name "$uid"
}

# gpu_process PID MEMORY-MB, as in GPUProcess.
gpu_process() {
    text_of "/proc/$1/comm"
    sep='{'
    raw pid "$1"
    str name "$text"
    str user "$(process_user "$1")"
    raw memory_mb "$2"
    str cgroup "$(process_cgroup "$1")"
    printf '}\n'
}
