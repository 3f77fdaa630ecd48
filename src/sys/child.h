/* Starting our own processes: the same binary again, with descriptors at fixed numbers. */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

#include "base/base.h"

#include <sys/types.h>

/* Where a child finds what it was given. */
enum {
    CHILD_SUPERVISOR_FD = 3,
    CHILD_CONFIG_FD = 4,  /* sealed memfd, see config/edition.h */
    CHILD_KEEPER_FD = 5,  /* workers, console */
    CHILD_LISTEN_FD = 6,  /* workers: PostgreSQL; console: the admin socket */
    CHILD_METRICS_FD = 7, /* console: a listener, where there is one */
    CHILD_FD_COUNT = CHILD_METRICS_FD - CHILD_SUPERVISOR_FD + 1,
};

typedef struct ChildSpec {
    const char *role;         /* "keeper", "worker", "console" */
    const char *arguments[4]; /* NULL-terminated */
    int fds[CHILD_FD_COUNT];  /* for CHILD_SUPERVISOR_FD …; -1: none */
    int stderr_fd;
    uid_t uid;     /* 0: stay who we are */
    int binary_fd; /* of our own executable, opened before any privilege was dropped */
} ChildSpec;

/* The child dies with its parent. Runs `chaperone --child ROLE ARGUMENTS…`. */
Err child_spawn(const ChildSpec *spec, pid_t *ret_pid) MUST_CHECK;
/* First thing in a child: dies with the parent, leaves no core, is not traceable. */
void child_begin(void);
Err child_open_binary(int *ret_fd) MUST_CHECK;

#endif
