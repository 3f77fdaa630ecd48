#include "sys/sandbox.h"

#define W   SANDBOX_WORKER
#define K   SANDBOX_KEEPER
#define C   SANDBOX_CONSOLE
#define WC  (SANDBOX_WORKER | SANDBOX_CONSOLE)
#define ALL (SANDBOX_WORKER | SANDBOX_KEEPER | SANDBOX_CONSOLE)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* ioctl, fcntl, mmap and mprotect have conditions on their arguments: sandbox.c. */
static const SandboxCall CALLS[] = {
    /* memory */
    { "brk", ALL },
    { "madvise", ALL },
    { "mremap", ALL },
    { "munmap", ALL },
    /* waiting and time */
    { "clock_gettime", ALL },
    { "clock_nanosleep", ALL },
    { "epoll_ctl", ALL },
    { "epoll_pwait", ALL },
    { "epoll_wait", ALL },
    { "futex", ALL },
    { "gettimeofday", ALL },
    { "nanosleep", ALL },
    { "restart_syscall", ALL },
    { "sched_getaffinity", W | K }, /* malloc, when a thread first allocates */
    { "sched_yield", ALL },
    /* descriptors that are here already */
    { "close", ALL },
    { "dup", ALL },
    { "read", ALL },
    { "recvfrom", ALL },
    { "recvmsg", ALL },
    { "sendmsg", ALL },
    { "sendto", ALL },
    { "shutdown", ALL },
    { "write", ALL },
    { "writev", ALL },
    { "fdatasync", W | K },
    { "accept4", WC },
    { "getpeername", ALL },
    { "getsockname", ALL },
    { "getsockopt", ALL },
    { "setsockopt", WC },
    /* who we are, how we end */
    { "exit", ALL },
    { "exit_group", ALL },
    { "getpid", ALL },
    { "getppid", ALL },
    { "getrandom", ALL },
    { "gettid", ALL },
    { "getuid", ALL },
    { "geteuid", ALL },
    { "rseq", ALL },
    { "rt_sigaction", ALL },
    { "rt_sigprocmask", ALL },
    { "rt_sigreturn", ALL },
    { "set_robust_list", ALL },
    { "tgkill", ALL },
    { "uname", ALL },
    /* the keeper's files: store, journal, secrets by reference */
    { "access", K },
    { "chmod", K },
    { "fallocate", K },
    { "fchmod", K },
    { "fchown", K },
    { "fstat", K },
    { "fsync", K },
    { "ftruncate", K },
    { "getcwd", K },
    { "getdents64", K },
    { "lseek", K },
    { "lstat", K },
    { "mkdir", K },
    { "newfstatat", K },
    { "open", K },
    { "openat", K },
    { "pread64", K },
    { "pwrite64", K },
    { "readlink", K },
    { "rename", K },
    { "rmdir", K },
    { "stat", K },
    { "sysinfo", K },
    { "unlink", K },
    { "utimensat", K },
#ifdef SANITIZED
    { "clone", ALL },
    { "clone3", ALL },
    { "fstat", ALL },
    { "getrlimit", ALL },
    { "lseek", ALL },
    { "newfstatat", ALL },
    { "open", ALL },
    { "openat", ALL },
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
