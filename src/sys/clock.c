#include "sys/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

Clock clock_now(void)
{
    return (Clock){ .unix_ns = read_clock(CLOCK_REALTIME), .mono_ns = read_clock(CLOCK_MONOTONIC) };
}
