/* A fleet as text, for the stand-ins of the vendors' libraries:

     nvidia driver 580.65.06        facts about a library: VENDOR KEY VALUE
     gpu nvidia                     a GPU of that vendor; its own facts follow
     name NVIDIA GeForce RTX 3090
     memory 24576 1024              MiB: total, used
     process 4242 512               PID, MiB; may come several times

   A fact that is not stated is «not supported». The text is in the file that XGEN_FLEET names,
   else in /etc/xgen-fleet.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GPUS = 32, MOST_FACTS = 48, LONGEST = 200 };

struct fact { char key[LONGEST], value[LONGEST]; };
struct gpu { struct fact facts[MOST_FACTS]; int count; };

static struct gpu gpus[MOST_GPUS];
static struct gpu library;
static int gpu_count;

static void add(struct gpu *to, const char *key, const char *value) {
    if (to->count == MOST_FACTS) return;
    snprintf(to->facts[to->count].key, LONGEST, "%s", key);
    snprintf(to->facts[to->count++].value, LONGEST, "%s", value);
}

static void read_fleet(const char *vendor) {
    const char *path = getenv("XGEN_FLEET");
    FILE *file = fopen(path ? path : "/etc/xgen-fleet.txt", "r");
    char line[LONGEST], rest[LONGEST];
    struct gpu *ours = NULL;
    memset(gpus, 0, sizeof gpus);
    memset(&library, 0, sizeof library);
    gpu_count = 0;
    while (file && fgets(line, sizeof line, file)) {
        char key[LONGEST] = "";
        rest[0] = 0;
        if (sscanf(line, "%199s %199[^\n]", key, rest) < 1 || key[0] == '#') continue;
        if (!strcmp(key, "gpu")) {
            ours = !strcmp(rest, vendor) && gpu_count < MOST_GPUS ? &gpus[gpu_count++] : NULL;
        } else if (!strcmp(key, "nvidia") || !strcmp(key, "amd")) {
            char name[LONGEST] = "", value[LONGEST] = "";
            sscanf(rest, "%199s %199[^\n]", name, value);
            if (!strcmp(key, vendor)) add(&library, name, value);
        } else if (ours) {
            add(ours, key, rest);
        }
    }
    if (file) fclose(file);
}

/* The number-th value under a key, or NULL. */
static const char *fact(const struct gpu *of, const char *key, int number) {
    for (int i = 0; i < of->count; i++)
        if (!strcmp(of->facts[i].key, key) && number-- == 0) return of->facts[i].value;
    return NULL;
}

static int fact_number(const struct gpu *of, const char *key, int otherwise) {
    const char *value = fact(of, key, 0);
    return value ? atoi(value) : otherwise;
}
