#include "sys/descriptors.h"

#include <sys/resource.h>

enum {
    SESSIONS_MAX = 10000,
    SOCKETS = 2,   /* of a session: the client's, the target's */
    RESERVE = 256, /* channels, segments, catalogues, cancel requests, a dial's answer */
};

static struct rlimit limit(void)
{
    struct rlimit l = { 0 };

    return getrlimit(RLIMIT_NOFILE, &l) == 0 ? l : (struct rlimit){ 1024, 1024 };
}

uint64_t descriptors_raise(void)
{
    struct rlimit l = limit();

    l.rlim_cur = l.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &l);
    return descriptors_now();
}

uint64_t descriptors_most(void)
{
    return limit().rlim_max;
}

uint64_t descriptors_now(void)
{
    return limit().rlim_cur;
}

size_t descriptors_sessions(uint64_t limit)
{
    const uint64_t room = limit > RESERVE ? (limit - RESERVE) / SOCKETS : 1;

    return room < SESSIONS_MAX ? (size_t)room : (size_t)SESSIONS_MAX;
}
