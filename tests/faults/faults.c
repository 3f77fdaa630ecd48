/* A library that a test preloads into the gateway's processes: the n-th call of one function in one
 * kind of process fails, is cut short or comes late, and the clock of the day is another one.
 *
 * What is to happen stands in a file that test and processes have mapped: FAULTS_PLAN names it, and
 * tests/faults/plan.py has the same struct. Mapped before the sandbox closes, it needs no call
 * later. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#pragma GCC visibility push(default)

/* The order is plan.py's CALLS, too. */
#define CALLS(X)                                                                                   \
    X(read)                                                                                        \
    X(write)                                                                                       \
    X(pread)                                                                                       \
    X(pwrite)                                                                                      \
    X(send)                                                                                        \
    X(recv)                                                                                        \
    X(sendmsg)                                                                                     \
    X(recvmsg)                                                                                     \
    X(fdatasync)                                                                                   \
    X(fsync)                                                                                       \
    X(ftruncate)                                                                                   \
    X(fallocate)                                                                                   \
    X(open)                                                                                        \
    X(rename)                                                                                      \
    X(unlink)                                                                                      \
    X(mmap)                                                                                        \
    X(malloc)                                                                                      \
    X(epoll_ctl)                                                                                   \
    X(socketpair)                                                                                  \
    X(socket)                                                                                      \
    X(connect)                                                                                     \
    X(accept4)                                                                                     \
    X(setsockopt)                                                                                  \
    X(getsockopt)                                                                                  \
    X(memfd_create)                                                                                \
    X(pipe2)                                                                                       \
    X(dup)                                                                                         \
    X(fcntl)                                                                                       \
    X(fstat)                                                                                       \
    X(statvfs)                                                                                     \
    X(fork)                                                                                        \
    X(opendir)                                                                                     \
    X(getrandom)

enum {
#define CALL_ENUM(name) CALL_##name,
    CALLS(CALL_ENUM)
#undef CALL_ENUM
        CALL_COUNT
};

enum { SUPERVISOR, KEEPER, WORKER, CONSOLE, PROCESS_COUNT };
enum { FAIL, SHORT, LATE };
enum { FRAMES = 24, MODULE_BYTES = 48 };

typedef struct Frame {
    char module[MODULE_BYTES];
    uint64_t offset;
} Frame;

typedef struct Plan {
    uint32_t armed; /* written last by the test */
    uint32_t process, call, action, error;
    uint32_t every; /* n and all that follow */
    uint64_t n, late_ms;
    uint64_t fired, fired_pid;
    int64_t clock_ns[PROCESS_COUNT];
    uint64_t calls[PROCESS_COUNT][CALL_COUNT];
    Frame frames[FRAMES];
} Plan;

static Plan *plan;
static uint32_t process = PROCESS_COUNT;

/* --- what is to happen ---------------------------------------------------------------------- */

static void note_frames(void)
{
    static _Thread_local bool within;
    void *at[FRAMES];

    if (within)
        return;
    within = true;
    const int count = backtrace(at, FRAMES);
    for (int i = 0; i < count; i++) {
        Dl_info found;
        Frame *f = &plan->frames[i];

        if (dladdr(at[i], &found) == 0 || found.dli_fname == NULL)
            continue;
        const char *slash = strrchr(found.dli_fname, '/');
        const char *name = slash != NULL ? slash + 1 : found.dli_fname;
        size_t len = strlen(name);
        len = len < MODULE_BYTES - 1 ? len : MODULE_BYTES - 1;
        memcpy(f->module, name, len);
        f->offset = (uint64_t)at[i] - (uint64_t)found.dli_fbase;
    }
    within = false;
}

/* A sandboxed process may not sleep, but wait for a futex it may. */
static void sleep_ms(uint64_t ms)
{
    static uint32_t never;
    const struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

    (void)syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0);
}

/* True: the caller acts on plan->action. A child between fork and exec is nobody. */
static bool hit(int call)
{
    if (plan == NULL || process == PROCESS_COUNT ||
        __atomic_load_n(&plan->armed, __ATOMIC_ACQUIRE) == 0)
        return false;
    const uint64_t n = __atomic_add_fetch(&plan->calls[process][call], 1, __ATOMIC_RELAXED);
    if (plan->process != process || plan->call != (uint32_t)call || n < plan->n ||
        (n > plan->n && plan->every == 0))
        return false;
    if (plan->action == LATE) {
        sleep_ms(plan->late_ms);
        __atomic_add_fetch(&plan->fired, 1, __ATOMIC_RELAXED);
        return false;
    }
    if (__atomic_fetch_add(&plan->fired, 1, __ATOMIC_RELAXED) == 0) {
        plan->fired_pid = (uint64_t)syscall(SYS_getpid); /* also of a child before its exec */
        note_frames();
    }
    errno = (int)plan->error;
    return true;
}

static size_t cut(size_t len)
{
    return len > 1 ? len / 2 : len;
}

static void not_in_a_fork(void)
{
    process = PROCESS_COUNT;
}

static uint32_t process_of(const char *line, size_t len)
{
    static const char *const NAMES[] = { "supervisor", "keeper", "worker", "console" };
    const char *first = memchr(line, '\0', len);
    const char *second = first != NULL ? first + 1 : NULL;

    if (second == NULL || second >= line + len)
        return PROCESS_COUNT;
    if (strcmp(second, "serve") == 0)
        return SUPERVISOR;
    if (strcmp(second, "--child") != 0)
        return PROCESS_COUNT;
    for (uint32_t i = KEEPER; i < PROCESS_COUNT; i++)
        if (strcmp(second + strlen(second) + 1, NAMES[i]) == 0)
            return i;
    return PROCESS_COUNT;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_PLAN");
    char line[512] = { 0 };
    void *warm[2];

    if (path == NULL)
        return;
    const int words = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY, 0);
    const long len = syscall(SYS_read, words, line, sizeof line - 2);
    (void)syscall(SYS_close, words);
    const uint32_t who = len > 0 ? process_of(line, (size_t)len) : PROCESS_COUNT;
    if (who == PROCESS_COUNT)
        return;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR, 0);
    void *mem =
        (void *)syscall(SYS_mmap, NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    if (mem == MAP_FAILED)
        abort();              /* a test without its faults would pass */
    (void)backtrace(warm, 2); /* loads what it needs while files may be opened */
    plan = mem;
    process = who;
}

/* --- the functions --------------------------------------------------------------------------- */

/* The next definition of a name, looked up once. */
#define REAL(type, name)                                                                           \
    static type *real;                                                                             \
    if (real == NULL)                                                                              \
    real = (type *)(uintptr_t)dlsym(RTLD_NEXT, name)

#define MOVES(call, name, buffer)                                                                  \
    ssize_t name(int fd, buffer data, size_t len);                                                 \
    ssize_t name(int fd, buffer data, size_t len)                                                  \
    {                                                                                              \
        typedef ssize_t Fn(int, buffer, size_t);                                                   \
        REAL(Fn, #name);                                                                           \
        if (!hit(CALL_##call))                                                                     \
            return real(fd, data, len);                                                            \
        return plan->action == SHORT ? real(fd, data, cut(len)) : -1;                              \
    }
MOVES(read, read, void *)
MOVES(write, write, const void *)

#define MOVES_AT(call, name, buffer, last)                                                         \
    ssize_t name(int fd, buffer data, size_t len, last at);                                        \
    ssize_t name(int fd, buffer data, size_t len, last at)                                         \
    {                                                                                              \
        typedef ssize_t Fn(int, buffer, size_t, last);                                             \
        REAL(Fn, #name);                                                                           \
        if (!hit(CALL_##call))                                                                     \
            return real(fd, data, len, at);                                                        \
        return plan->action == SHORT ? real(fd, data, cut(len), at) : -1;                          \
    }
MOVES_AT(pread, pread, void *, off_t)
MOVES_AT(pread, pread64, void *, off_t)
MOVES_AT(pwrite, pwrite, const void *, off_t)
MOVES_AT(pwrite, pwrite64, const void *, off_t)
MOVES_AT(send, send, const void *, int)
MOVES_AT(recv, recv, void *, int)

/* Whatever a wrapper is given, it gives on: PARAMETERS with types, ARGUMENTS without. */
#define FAILS(call, result, failed, name, parameters, arguments)                                   \
    result name parameters;                                                                        \
    result name parameters                                                                         \
    {                                                                                              \
        typedef result Fn parameters;                                                              \
        REAL(Fn, #name);                                                                           \
        return hit(CALL_##call) ? (failed) : real arguments;                                       \
    }
FAILS(sendmsg, ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
FAILS(recvmsg, ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
FAILS(fdatasync, int, -1, fdatasync, (int fd), (fd))
FAILS(fsync, int, -1, fsync, (int fd), (fd))
FAILS(ftruncate, int, -1, ftruncate, (int fd, off_t size), (fd, size))
FAILS(ftruncate, int, -1, ftruncate64, (int fd, off_t size), (fd, size))
FAILS(fallocate, int, -1, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
FAILS(fallocate, int, -1, fallocate64, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
FAILS(rename, int, -1, rename, (const char *from, const char *to), (from, to))
FAILS(unlink, int, -1, unlink, (const char *path), (path))
FAILS(epoll_ctl, int, -1, epoll_ctl, (int ep, int op, int fd, struct epoll_event *e),
      (ep, op, fd, e))
FAILS(socketpair, int, -1, socketpair, (int domain, int type, int protocol, int fds[2]),
      (domain, type, protocol, fds))
FAILS(socket, int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
FAILS(connect, int, -1, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
FAILS(accept4, int, -1, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags),
      (fd, from, len, flags))
FAILS(setsockopt, int, -1, setsockopt, (int fd, int level, int name, const void *v, socklen_t len),
      (fd, level, name, v, len))
FAILS(getsockopt, int, -1, getsockopt, (int fd, int level, int name, void *v, socklen_t *len),
      (fd, level, name, v, len))
FAILS(memfd_create, int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
FAILS(pipe2, int, -1, pipe2, (int fds[2], int flags), (fds, flags))
FAILS(dup, int, -1, dup, (int fd), (fd))
FAILS(fstat, int, -1, fstat, (int fd, struct stat *s), (fd, s))
FAILS(fstat, int, -1, fstat64, (int fd, struct stat64 *s), (fd, s))
FAILS(statvfs, int, -1, statvfs, (const char *path, struct statvfs *s), (path, s))
FAILS(statvfs, int, -1, statvfs64, (const char *path, struct statvfs64 *s), (path, s))
FAILS(opendir, void *, NULL, opendir, (const char *path), (path))
FAILS(getrandom, ssize_t, -1, getrandom, (void *to, size_t len, unsigned flags), (to, len, flags))
FAILS(mmap, void *, MAP_FAILED, mmap,
      (void *at, size_t len, int prot, int flags, int fd, off_t offset),
      (at, len, prot, flags, fd, offset))
FAILS(mmap, void *, MAP_FAILED, mmap64,
      (void *at, size_t len, int prot, int flags, int fd, off_t offset),
      (at, len, prot, flags, fd, offset))

pid_t fork(void)
{
    typedef pid_t Fn(void);
    REAL(Fn, "fork");
    const pid_t pid = hit(CALL_fork) ? -1 : real();

    if (pid == 0)
        not_in_a_fork();
    return pid;
}

#define OPENS(name, first, ...)                                                                    \
    int name(first, int flags, ...);                                                               \
    int name(first, int flags, ...)                                                                \
    {                                                                                              \
        typedef int Fn(first, int, ...);                                                           \
        va_list list;                                                                              \
        REAL(Fn, #name);                                                                           \
        va_start(list, flags);                                                                     \
        const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0;                 \
        va_end(list);                                                                              \
        return hit(CALL_open) ? -1 : real(__VA_ARGS__, flags, mode);                               \
    }
OPENS(open, const char *path, path)
OPENS(open64, const char *path, path)

/* Its third argument is an int or a pointer: a register either way. */
#define CONTROLS(name)                                                                             \
    int name(int fd, int command, ...);                                                            \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        typedef int Fn(int, int, ...);                                                             \
        va_list list;                                                                              \
        REAL(Fn, #name);                                                                           \
        va_start(list, command);                                                                   \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        return hit(CALL_fcntl) ? -1 : real(fd, command, argument);                                 \
    }
CONTROLS(fcntl)
CONTROLS(fcntl64)

/* --- memory: dlsym() itself allocates, so the C library's other names are taken ----------------
 */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return hit(CALL_malloc) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return hit(CALL_malloc) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return hit(CALL_malloc) ? NULL : __libc_realloc(old, size);
}

/* --- the clock of the day; the monotonic one stays as it is --------------------------------------
 */

static void shift(int64_t *seconds, int64_t *ns)
{
    if (plan == NULL || process == PROCESS_COUNT)
        return;
    const int64_t by = __atomic_load_n(&plan->clock_ns[process], __ATOMIC_RELAXED);
    *seconds += by / 1000000000;
    *ns += by % 1000000000;
    if (*ns >= 1000000000 || *ns < 0) {
        const int64_t carry = *ns < 0 ? -1 : 1;
        *seconds += carry;
        *ns -= carry * 1000000000;
    }
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    typedef int Fn(clockid_t, struct timespec *);
    REAL(Fn, "clock_gettime");
    const int err = real(id, t);
    int64_t seconds = t->tv_sec, ns = t->tv_nsec;

    if (err == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        shift(&seconds, &ns);
    t->tv_sec = (time_t)seconds;
    t->tv_nsec = (long)ns;
    return err;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}
