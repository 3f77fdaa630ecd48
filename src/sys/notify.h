/* What a service manager is told: sd_notify(3)'s protocol, spoken directly. Where nobody asks
 * (NOTIFY_SOCKET is not set), telling does nothing. */
#ifndef SYS_NOTIFY_H
#define SYS_NOTIFY_H

#include "base/base.h"

typedef struct Notify {
    bool asked; /* false: nobody asks */
    int fd;
    char path[108];
    uint64_t watchdog_ms; /* tell "WATCHDOG=1" more often than this; 0: never */
} Notify;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment: they
 * are not for children. */
void notify_begin(Notify *ret);
/* Back into the environment, for the binary that takes over by exec. */
void notify_pass_on(const Notify *n);
/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…": assignments, a line each. A manager that
 * does not listen is no reason to stop. */
void notify_tell(const Notify *n, const char *state);

#endif
