/* A stand-in for NVIDIA's management library: answers from a fleet described as text. With -DOLD
   it lacks what drivers lacked some years ago. Like a real library at its worst, it prints. */
#include "fleet.h"

typedef unsigned long long u64;
enum { OK, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, GPU_IS_LOST = 15 };

typedef struct { u64 total, free, used; } memory_v1;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } rates;
typedef struct { unsigned pid; u64 memory; unsigned gpu_instance, compute_instance; } process;
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char address[32];
} pci;

/* A MIG instance's handle is the text of its fact: UUID, MiB total and used, profile, PID, MiB. */
static const char *part(const void *device) {
    return strncmp(device, "MIG-", 4) ? NULL : device;
}

static int text(const struct gpu *of, const char *key, char *out, unsigned size) {
    const char *value = fact(of, key, 0);
    if (!value) return NOT_SUPPORTED;
    snprintf(out, size, "%s", value);
    return OK;
}

int nvmlInitWithFlags(unsigned flags) {
    puts("a library that talks");
    fflush(stdout);
    read_fleet("nvidia");
    return fact_number(&library, "init", OK);
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return "an error of the stand-in"; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { return text(&library, "driver", out, size); }
int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = gpu_count;
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu **device) {
    *device = &gpus[index];
    return fact(*device, "lost", 0) ? GPU_IS_LOST : OK;
}
int nvmlDeviceGetName(struct gpu *device, char *out, unsigned size) {
    char profile[LONGEST];
    if (part(device)) {
        if (sscanf(part(device), "%*s %*s %*s %199s", profile) != 1) return NOT_SUPPORTED;
        snprintf(out, size, "NVIDIA H100 80GB HBM3 MIG %s", profile);
        return OK;
    }
    return text(device, "name", out, size);
}
int nvmlDeviceGetUUID(struct gpu *device, char *out, unsigned size) {
    if (part(device)) {
        snprintf(out, size, "%.*s", (int)strcspn(part(device), " "), part(device));
        return OK;
    }
    return text(device, "uuid", out, size);
}
static int sizes(struct gpu *device, u64 *total, u64 *used) {
    const char *value = part(device) ? strchr(part(device), ' ') : fact(device, "memory", 0);
    if (!value || sscanf(value, "%llu %llu", total, used) != 2) return NOT_SUPPORTED;
    *total <<= 20;
    *used <<= 20;
    return OK;
}
int nvmlDeviceGetMemoryInfo(struct gpu *device, memory_v1 *out) {
    int code = sizes(device, &out->total, &out->used);
    out->free = out->total - out->used;
    return code;
}
int nvmlDeviceGetUtilizationRates(struct gpu *device, rates *out) {
    out->gpu = fact_number(device, "utilization", -1);
    return fact(device, "utilization", 0) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetCudaComputeCapability(struct gpu *device, int *major, int *minor) {
    const char *value = fact(device, "capability", 0);
    return value && sscanf(value, "%d.%d", major, minor) == 2 ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetTemperature(struct gpu *device, int sensor, unsigned *out) {
    *out = fact_number(device, "temperature", -1);
    return fact(device, "temperature", 0) && sensor == 0 ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetTemperatureThreshold(struct gpu *device, int threshold, unsigned *out) {
    *out = fact_number(device, "slowdown", -1);
    return fact(device, "slowdown", 0) && threshold == 1 ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetPowerUsage(struct gpu *device, unsigned *out) {
    *out = fact_number(device, "milliwatts", -1);
    return fact(device, "milliwatts", 0) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetTotalEccErrors(struct gpu *device, int kind, int counter, u64 *out) {
    *out = fact_number(device, "ecc", -1);
    return fact(device, "ecc", 0) && kind == 1 && counter == 0 ? OK : NOT_SUPPORTED;
}
static int processes(struct gpu *device, unsigned *count, process *out) {
    unsigned room = out ? *count : 0, n = 0;
    const char *value;
    if (part(device)) {
        unsigned pid;
        u64 memory;
        n = sscanf(part(device), "%*s %*s %*s %*s %u %llu", &pid, &memory) == 2;
        if (n && room) out[0] = (process){pid, memory << 20, 0, 0};
        *count = n;
        return n > room ? TOO_SMALL : OK;
    }
    for (; (value = fact(device, "process", n)); n++)
        if (n < room) {
            memset(&out[n], 0, sizeof *out);
            sscanf(value, "%u %llu", &out[n].pid, &out[n].memory);
            out[n].memory <<= 20;
        }
    *count = n;
    return n > room ? TOO_SMALL : OK;
}
#ifdef OLD
int nvmlDeviceGetPciInfo_v2(struct gpu *device, pci *out) { return NOT_SUPPORTED; }
#else
int nvmlDeviceGetComputeRunningProcesses_v3(struct gpu *device, unsigned *count, process *out) {
    return processes(device, count, out);
}
int nvmlDeviceGetMemoryInfo_v2(struct gpu *device, memory_v2 *out) {
    int code = sizes(device, &out->total, &out->used);
    out->reserved = 0;
    out->free = out->total - out->used;
    return code;
}
int nvmlDeviceGetPciInfo_v3(struct gpu *device, pci *out) {
    memset(out, 0, sizeof *out);
    return text(device, "pci", out->address, sizeof out->address);
}
int nvmlDeviceGetMigMode(struct gpu *device, unsigned *now, unsigned *pending) {
    *now = *pending = fact(device, "mig", 0) != NULL || fact(device, "mig_on", 0) != NULL;
    return fact(device, "mig_capable", 0) || *now ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(struct gpu *device, u64 *out) {
    *out = fact_number(device, "throttle", -1);
    return fact(device, "throttle", 0) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetRemappedRows(
    struct gpu *device, unsigned *corrected, unsigned *not, unsigned *pending, unsigned *failure
) {
    *corrected = *not = *pending = 0;
    *failure = fact_number(device, "remap_failure", -1);
    return fact(device, "remap_failure", 0) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetMaxMigDeviceCount(struct gpu *device, unsigned *count) {
    *count = 7;
    return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(struct gpu *device, unsigned index, const char **part) {
    *part = fact(device, "mig", index);
    return *part ? OK : NOT_FOUND;
}
#endif
