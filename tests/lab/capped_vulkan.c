/* Vulkan devices that are smaller than they are: preloaded into an engine, it lets each device
 * allocate XGEN_DEVICE_BYTES in all and then says, as a driver does, that its memory is used up.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_OF_DEVICE_MEMORY = -2, MOST = 65536 };

typedef void (*Function)(void);
typedef Function (*Lookup)(void *, const char *);
struct info {
    uint32_t kind;
    const void *next;
    uint64_t size;
    uint32_t type;
};
typedef int32_t (*Allocate)(void *, const struct info *, const void *, uint64_t *);
typedef void (*Free)(void *, uint64_t, const void *);

static Allocate allocate;
static Free release;
static struct { void *device; uint64_t memory, size; } held[MOST];

static int32_t allocate_within(void *device, const struct info *info, const void *with,
                               uint64_t *memory) {
    uint64_t used = 0, most = strtoull(getenv("XGEN_DEVICE_BYTES"), NULL, 10);
    int unused = -1;
    for (int i = 0; i < MOST; i++) {
        if (held[i].device == device)
            used += held[i].size;
        else if (!held[i].device && unused < 0)
            unused = i;
    }
    if (unused < 0 || used + info->size > most)
        return OUT_OF_DEVICE_MEMORY;
    int32_t result = allocate(device, info, with, memory);
    if (result == 0) {
        held[unused].device = device;
        held[unused].memory = *memory;
        held[unused].size = info->size;
    }
    return result;
}

static void release_counted(void *device, uint64_t memory, const void *with) {
    for (int i = 0; i < MOST; i++)
        if (held[i].device == device && held[i].memory == memory)
            held[i].device = NULL, held[i].size = 0;
    release(device, memory, with);
}

static Function replaced(const char *name, Function found) {
    if (found && !strcmp(name, "vkAllocateMemory")) {
        allocate = (Allocate)found;
        return (Function)allocate_within;
    }
    if (found && !strcmp(name, "vkFreeMemory")) {
        release = (Free)found;
        return (Function)release_counted;
    }
    return found;
}

static Lookup of_device;

static Function device_function(void *device, const char *name) {
    return replaced(name, of_device(device, name));
}

Function vkGetInstanceProcAddr(void *instance, const char *name) {
    static Lookup next;
    if (!next) {
        void *loader = dlopen("libvulkan.so.1", RTLD_LAZY | RTLD_NOLOAD);
        next = (Lookup)dlsym(loader, "vkGetInstanceProcAddr");
    }
    Function found = next(instance, name);
    if (found && !strcmp(name, "vkGetDeviceProcAddr")) {
        of_device = (Lookup)found;
        return (Function)device_function;
    }
    return replaced(name, found);
}
