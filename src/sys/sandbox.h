/* What a process can still do once it serves. Two parts, in this order:
 *
 *     open everything → sandbox_files() → start all threads → sandbox_calls() → serve
 *
 * Landlock covers only the calling thread and those it starts later, so it comes before any
 * thread; seccomp is put on all threads at once (TSYNC). One table says who may make which call
 * (sandbox_table.c); a call outside it ends the process. */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include "base/base.h"

typedef enum SandboxRole {
    SANDBOX_WORKER = 1 << 0,
    SANDBOX_KEEPER = 1 << 1,
    SANDBOX_CONSOLE = 1 << 2,
} SandboxRole;

typedef struct SandboxPath {
    const char *path;
    bool writable; /* the folder and what is below it, else read only */
} SandboxPath;

/* No file can be opened any more but those below `paths`. ERR_IO: the kernel has no Landlock. */
Err sandbox_files(const SandboxPath *paths, size_t count) MUST_CHECK;
Err sandbox_calls(SandboxRole role) MUST_CHECK;
/* What this kernel offers: 0 for none. */
int sandbox_landlock_abi(void);
bool sandbox_has_seccomp(void);

/* What of it holds for this process. Each part is entered once, in this order. */
typedef struct SandboxState {
    bool optional;        /* a part that cannot be had is a line in the log, else an error */
    uint8_t landlock_abi; /* 0: Landlock is not active */
    bool seccomp;
} SandboxState;

Err sandbox_enter_files(SandboxState *s, const SandboxPath *paths, size_t count) MUST_CHECK;
Err sandbox_enter_calls(SandboxState *s, SandboxRole role) MUST_CHECK;

/* sandbox_table.c */
typedef struct SandboxCall {
    const char *name;
    unsigned roles;
} SandboxCall;

/* The calls of the table, then those that only a sanitizer's runtime makes. */
const SandboxCall *sandbox_calls_table(size_t *ret_count);

#endif
