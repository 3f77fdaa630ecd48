#include "sys/sandbox.h"

#define W   SANDBOX_WORKER
#define K   SANDBOX_KEEPER
#define WC  (SANDBOX_WORKER | SANDBOX_CONSOLE)
#define ALL (SANDBOX_WORKER | SANDBOX_KEEPER | SANDBOX_CONSOLE)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Seen under strace, but for those that say when they would come. ioctl, fcntl, tgkill, mmap and
 * mprotect have conditions on their arguments: sandbox.c. No call here makes a socket, a process, a
 * thread or an executable page. */
static const SandboxCall CALLS[] = {
    /* memory: malloc, large blocks that grow, arenas that shrink */
    { "brk", ALL },
    { "madvise", ALL },
    { "mremap", ALL },
    { "munmap", ALL },
    /* waiting and time; the clocks where the vDSO has none, restart after SIGCONT */
    { "clock_gettime", ALL },
    { "epoll_ctl", ALL },
    { "epoll_pwait", ALL },
    { "epoll_wait", ALL },
    { "futex", ALL },
    { "gettimeofday", ALL },
    { "restart_syscall", ALL },
    { "sched_yield", ALL },
    { "clock_nanosleep", K }, /* SQLite, when its file is locked */
    /* descriptors that are here already; writev is also how libc says why it aborts */
    { "accept4", WC },
    { "close", ALL },
    { "dup", ALL }, /* a descriptor that waits in a channel's queue */
    { "fdatasync", W | K },
    { "getsockopt", K }, /* SO_PEERCRED */
    { "read", ALL },
    { "recvfrom", ALL },
    { "recvmsg", ALL },
    { "sendmsg", ALL },
    { "sendto", ALL },
    { "setsockopt", W },
    { "shutdown", ALL }, /* a channel that lost a message */
    { "write", ALL },
    { "writev", ALL },
    /* who we are, how we end: a thread's, the process's, an abort's */
    { "exit", ALL },
    { "exit_group", ALL },
    { "getpid", ALL },
    { "getppid", K }, /* who asks at the admin socket: not our own supervisor */
    { "getrandom", ALL },
    { "gettid", ALL },
    { "rseq", W }, /* with set_robust_list: first steps of a thread that started just before */
    { "rt_sigaction", ALL },
    { "rt_sigprocmask", ALL },
    { "rt_sigreturn", ALL },
    { "set_robust_list", W },
    /* the keeper's files: SQLite's, the journal's, secrets by reference */
    { "access", K },    /* SQLite: is there a hot journal? */
    { "chmod", K },     /* a sealed segment is read-only */
    { "fallocate", K }, /* a new segment */
    { "fchmod", K },    /* SQLite: -wal and -shm get the mode and owner of the file */
    { "fchown", K },
    { "fstat", K },
    { "fsync", K },
    { "ftruncate", K },
    { "getdents64", K }, /* recovery after a crash */
    { "geteuid", K },    /* SQLite, before fchown */
    { "newfstatat", K },
    { "openat", K },
    { "pread64", W | K }, /* worker: a new configuration, in sealed memory */
    { "pwrite64", K },
    { "rename", K },
    { "statfs", K },      /* how full the journal's volume is */
    { "sysinfo", W | K }, /* qsort of a long list */
    { "unlink", K },
#ifdef SANITIZED
    /* threads of its own, memory maps, and all that a report needs until its last line */
    { "clone", ALL },
    { "clone3", ALL },
    { "fstat", ALL },
    { "getrlimit", ALL },
    { "ioctl", ALL }, /* is it a terminal? */
    { "lseek", ALL },
    { "newfstatat", ALL },
    { "open", ALL },
    { "openat", ALL },
    { "pipe", ALL }, /* can this address be read? */
    { "pipe2", ALL },
    { "prctl", ALL },
    { "prlimit64", ALL },
    { "readlink", ALL },
    { "readlinkat", ALL },
    { "sched_getaffinity", ALL },
    { "sigaltstack", ALL },
    { "stat", ALL },
    { "sysinfo", ALL },
#endif
};

const SandboxCall *sandbox_calls_table(size_t *ret_count)
{
    *ret_count = COUNT_OF(CALLS);
    return CALLS;
}
