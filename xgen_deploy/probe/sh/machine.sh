# The machine itself, and who we are on it.

machine() {
    str hostname "$(uname -n)"
    str arch "$(uname -m)"
    str kernel "$(uname -r)"
    str os "$(os_name)"
    text_of /proc/sys/kernel/random/boot_id
    str boot_id "$text"
    str python "$python"
    str user "$(id -un)"
    raw uid "$(id -u)"
    raw now "$(date +%s)"
    raw cores "$(nproc 2>/dev/null || grep -c '^processor' /proc/cpuinfo || echo 1)"
    str cpu_model "$(cpu_model)"
    raw memory_total_mb "$(meminfo MemTotal)"
    raw memory_available_mb "$(meminfo MemAvailable)"
}

os_name() {
    sed -n -e 's/^PRETTY_NAME=//p' /etc/os-release | tail -n 1 | sed -e "s/^[\"']*//" -e "s/[\"']*\$//"
}

cpu_model() {
    for name in 'model name' Model; do
        sed -n -e "s/^${name}[[:space:]]*: *//p" /proc/cpuinfo | tail -n 1 | grep . && return
    done
    uname -m
}

meminfo() {
    awk -v name="$1:" '$1 == name { printf "%d", int($2 / 1024) }' /proc/meminfo
}

# account NAME-OR-UID FIELD-IT-IS-IN FIELD-WANTED
account() {
    { getent passwd "$1" 2>/dev/null || cat /etc/passwd; } |
        awk -F : -v who="$1" -v at="$2" -v want="$3" '$at == who { print $want; exit }'
}

user_name() {
    account "$1" 3 1 | grep . || printf '%s\n' "$1"
}
