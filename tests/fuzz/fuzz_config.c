/* Any bytes: config_load ends, and what it accepts can be shown. */
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static Problems problems;
    const Bytes yaml = { bytes, size };
    Arena arena;
    Config config;
    Buf out;

    arena_init(&arena, CONFIG_ARENA_BYTES);
    buf_init(&out, 64 << 20);
    const Err err = config_load(yaml, &arena, &config, &problems);
    if ((err == OK) != (problems.errors == 0) && err != ERR_LIMIT)
        abort();
    if (problems_print(&problems, yaml, "fuzz.yaml", &out) != OK)
        abort();
    if (err == OK && config_show(&config, &out) != OK)
        abort();
    buf_done(&out);
    arena_done(&arena);
    return 0;
}
