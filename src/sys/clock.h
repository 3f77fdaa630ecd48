/* The time, read once a turn and passed on as an argument. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include "base/base.h"

typedef struct Clock {
    uint64_t unix_ns; /* CLOCK_REALTIME */
    uint64_t mono_ns; /* CLOCK_MONOTONIC: counts on through clock jumps */
} Clock;

Clock clock_now(void);

#endif
