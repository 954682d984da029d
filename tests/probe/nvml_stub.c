/* A stand-in for NVIDIA's management library, described by compile-time switches:
   NO_MEMORY: a card that cannot tell its memory. LOST: a second card that fell off the bus.
   OLD: a driver without the newer symbols. NO_DRIVER: the library without its driver.
   Like real libraries at their worst, it prints to standard output. */
#include <stdio.h>
#include <string.h>

typedef unsigned long long u64;
enum { OK = 0, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };

typedef struct { u64 total, free, used; } memory_v1;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } rates;
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char address[32];
} pci;

static const u64 GIB = 1ull << 30;
static int first, second;

static int text(char *out, unsigned size, const char *value) {
    snprintf(out, size, "%s", value);
    return OK;
}

int nvmlInitWithFlags(unsigned flags) {
    puts("a library that talks");
    fflush(stdout);
#ifdef NO_DRIVER
    return DRIVER_NOT_LOADED;
#else
    return OK;
#endif
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) {
    return code == GPU_IS_LOST ? "GPU is lost" : code == DRIVER_NOT_LOADED ? "Driver Not Loaded" : "Not Supported";
}
int nvmlSystemGetDriverVersion(char *out, unsigned size) { return text(out, size, "580.65.06"); }
int nvmlDeviceGetCount_v2(unsigned *count) {
#ifdef LOST
    *count = 2;
#else
    *count = 1;
#endif
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index) return GPU_IS_LOST;
    *device = index ? &second : &first;
    return OK;
}
int nvmlDeviceGetName(void *device, char *out, unsigned size) {
    return text(out, size, "NVIDIA GeForce RTX 3090");
}
int nvmlDeviceGetUUID(void *device, char *out, unsigned size) {
    return text(out, size, "GPU-11112222-3333-4444-5555-666677778888");
}
#ifdef NO_MEMORY
int nvmlDeviceGetMemoryInfo(void *device, memory_v1 *out) { return NOT_SUPPORTED; }
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *out) { return NOT_SUPPORTED; }
int nvmlDeviceGetUtilizationRates(void *device, rates *out) { return NOT_SUPPORTED; }
#else
int nvmlDeviceGetMemoryInfo(void *device, memory_v1 *out) {
    out->total = 24 * GIB;
    out->used = 2 * GIB;
    out->free = 22 * GIB;
    return OK;
}
#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *out) {
    out->total = 24 * GIB;
    out->reserved = GIB;
    out->used = GIB;
    out->free = 22 * GIB;
    return OK;
}
#endif
int nvmlDeviceGetUtilizationRates(void *device, rates *out) {
    out->gpu = 42;
    out->memory = 7;
    return OK;
}
#endif
#ifdef OLD
int nvmlDeviceGetPciInfo_v2(void *device, pci *out) { return NOT_SUPPORTED; }
#else
int nvmlDeviceGetPciInfo_v3(void *device, pci *out) {
    memset(out, 0, sizeof *out);
    strcpy(out->address, "00000000:C1:00.0");
    return OK;
}
#endif
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    *major = 8;
    *minor = 6;
    return OK;
}
