/* A stand-in for AMD's management library, in the layouts of its 7.0: answers from a fleet
   described as text. What is not here is «not supported» (see building.py). */
#include "fleet.h"

typedef unsigned long long u64;
enum { OK, NOT_SUPPORTED = 2, API_FAILED = 7 };

typedef struct {
    char name[256];
    unsigned vendor;
    char vendor_name[256];
    unsigned subvendor;
    u64 device;
    unsigned revision;
    char serial[256];
    unsigned oam, units;
    u64 gfx;
    unsigned subsystem, reserved[21];
} asic;
typedef struct { unsigned gfx, umc, mm, reserved[13]; } activity;
typedef struct { unsigned render, card, hsa, hip; char uuid[256]; } places;
typedef struct { char version[256], date[256], name[256]; } driver;
typedef struct {
    char name[256];
    unsigned pid;
    u64 memory;
    u64 engines[8];
    u64 gtt, cpu, vram, reserved[5];
    char container[256];
    unsigned occupancy, more[11];
} process;

int amdsmi_init(u64 flags) {
    puts("a library that talks");
    fflush(stdout);
    read_fleet("amd");
    return fact_number(&library, "init", OK);
}
int amdsmi_shut_down(void) { return OK; }
int amdsmi_get_socket_handles(unsigned *count, void **out) {
    *count = gpu_count;
    for (int i = 0; out && i < gpu_count; i++) out[i] = &gpus[i];
    return OK;
}
int amdsmi_get_processor_handles(void *socket, unsigned *count, void **out) {
    *count = 1;
    if (out) out[0] = socket;
    return OK;
}
int amdsmi_get_gpu_device_bdf(struct gpu *gpu, u64 *out) {
    unsigned domain, bus, device, function;
    const char *value = fact(gpu, "pci", 0);
    if (fact(gpu, "lost", 0)) return API_FAILED;
    if (!value || sscanf(value, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
        return NOT_SUPPORTED;
    *out = (u64)domain << 16 | bus << 8 | device << 3 | function;
    return OK;
}
int amdsmi_get_gpu_asic_info(struct gpu *gpu, asic *out) {
    const char *gfx = fact(gpu, "gfx", 0), *name = fact(gpu, "name", 0);
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name ? name : "");
    out->vendor = 0x1002;
    out->gfx = gfx ? strtoull(gfx, NULL, 16) : 0;
    return OK;
}
static int size(struct gpu *gpu, int kind, int which, u64 *out) {
    u64 both[2];
    const char *value = fact(gpu, kind == 0 ? "memory" : "gtt", 0);
    if (kind == 1 || !value || sscanf(value, "%llu %llu", &both[0], &both[1]) != 2)
        return NOT_SUPPORTED;
    *out = both[which] << 20;
    return OK;
}
int amdsmi_get_gpu_memory_total(struct gpu *gpu, int kind, u64 *out) { return size(gpu, kind, 0, out); }
int amdsmi_get_gpu_memory_usage(struct gpu *gpu, int kind, u64 *out) { return size(gpu, kind, 1, out); }
int amdsmi_get_gpu_activity(struct gpu *gpu, activity *out) {
    memset(out, 0, sizeof *out);
    out->gfx = fact_number(gpu, "utilization", 0xFFFF);
    return OK;
}
int amdsmi_get_gpu_enumeration_info(struct gpu *gpu, places *out) {
    const char *uuid = fact(gpu, "uuid", 0);
    memset(out, 0, sizeof *out);
    out->render = fact_number(gpu, "render", -1);
    snprintf(out->uuid, sizeof out->uuid, "%s", uuid ? uuid : "GPU-XX");
    return OK;
}
int amdsmi_get_gpu_driver_info(struct gpu *gpu, driver *out) {
    const char *version = fact(&library, "driver", 0);
    memset(out, 0, sizeof *out);
    snprintf(out->version, sizeof out->version, "%s", version ? version : "");
    return OK;
}
int amdsmi_get_gpu_process_list(struct gpu *gpu, unsigned *count, process *out) {
    unsigned n = 0;
    const char *value;
    for (; (value = fact(gpu, "process", n)) && n < *count; n++) {
        memset(&out[n], 0, sizeof *out);
        sscanf(value, "%u %llu", &out[n].pid, &out[n].vram);
        out[n].vram <<= 20;
    }
    *count = n;
    return OK;
}
