/* A forbidden call ends the process, with SIGSYS and at once. Each is tried in a child of its own.
 * Under a sanitizer the table is wider (its runtime opens files), so nothing is tried there. */
#include "sys/sandbox.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { SKIPPED = 77, ALIVE = 0, NO_SANDBOX = 3, FILE_FD = 40 };

#define TRIES(X)                                                                                   \
    X(socket, syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))                                        \
    X(socketpair, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, at))                            \
    X(connect, syscall(SYS_connect, FILE_FD, at, 16))                                              \
    X(bind, syscall(SYS_bind, FILE_FD, at, 16))                                                    \
    X(listen, syscall(SYS_listen, FILE_FD, 1))                                                     \
    X(execve, syscall(SYS_execve, "/bin/true", NULL, NULL))                                        \
    X(execveat, syscall(SYS_execveat, FILE_FD, "", NULL, NULL, 0x1000))                            \
    X(ptrace, syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0))                                        \
    X(clone, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))                                              \
    X(clone3, syscall(SYS_clone3, at, 64))                                                         \
    X(kill, syscall(SYS_kill, getppid(), 0))                                                       \
    X(tgkill, syscall(SYS_tgkill, getppid(), getppid(), 0))                                        \
    X(io_uring, syscall(SYS_io_uring_setup, 1, at))                                                \
    X(exec_memory,                                                                                 \
      syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))    \
    X(fcntl_setfl, syscall(SYS_fcntl, FILE_FD, F_SETFL, 0))

/* What the keeper may and a worker and the console may not. */
#define FILE_TRIES(X)                                                                              \
    X(openat, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY))                                \
    X(unlink, syscall(SYS_unlink, "/nowhere/at/all"))                                              \
    X(ftruncate, syscall(SYS_ftruncate, FILE_FD, 0))                                               \
    X(fallocate, syscall(SYS_fallocate, FILE_FD, 0, 0, 4096))                                      \
    X(pwrite64, syscall(SYS_pwrite64, FILE_FD, at, 1, 0))                                          \
    X(rename, syscall(SYS_rename, "/nowhere/a", "/nowhere/b"))                                     \
    X(chmod, syscall(SYS_chmod, "/nowhere/at/all", 0))

/* What nobody makes: there are newer calls for it, or none of us needs it. */
#define OTHER_TRIES(X)                                                                             \
    X(open, syscall(SYS_open, "/dev/null", O_RDONLY))                                              \
    X(openat2, syscall(SYS_openat2, AT_FDCWD, "/dev/null", at, 24))                                \
    X(unlinkat, syscall(SYS_unlinkat, AT_FDCWD, "/nowhere/at/all", 0))                             \
    X(pwritev, syscall(SYS_pwritev, FILE_FD, at, 0, 0, 0))                                         \
    X(pwritev2, syscall(SYS_pwritev2, FILE_FD, at, 0, 0, 0, 0))                                    \
    X(copy_file_range, syscall(SYS_copy_file_range, FILE_FD, NULL, FILE_FD, NULL, 1, 0))           \
    X(sendfile, syscall(SYS_sendfile, FILE_FD, FILE_FD, NULL, 1))                                  \
    X(splice, syscall(SYS_splice, FILE_FD, NULL, FILE_FD, NULL, 1, 0))                             \
    X(dup2, syscall(SYS_dup2, FILE_FD, 2))

typedef long TryFn(void);

static char at[128];

#define DEFINE(name, call)                                                                         \
    static long try_##name(void)                                                                   \
    {                                                                                              \
        return call;                                                                               \
    }
TRIES(DEFINE)
FILE_TRIES(DEFINE)
OTHER_TRIES(DEFINE)

typedef struct Try {
    const char *name;
    TryFn *fn;
} Try;

#define ENTRY(name, call) { #name, try_##name },
static const Try FOR_ALL[] = { TRIES(ENTRY) OTHER_TRIES(ENTRY) };
static const Try FOR_FILES[] = { FILE_TRIES(ENTRY) };

static int in_sandbox(SandboxRole role, TryFn *fn)
{
    int status = 0;
    const pid_t pid = fork();

    EXPECT(pid >= 0);
    if (pid == 0) {
        const int fd = open("/dev/null", O_WRONLY);
        if (fd < 0 || dup2(fd, FILE_FD) != FILE_FD || sandbox_calls(role) != OK)
            _exit(NO_SANDBOX);
        (void)fn();
        _exit(ALIVE);
    }
    EXPECT(waitpid(pid, &status, 0) == pid);
    return status;
}

static void expect_killed(SandboxRole role, const Try *tries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int status = in_sandbox(role, tries[i].fn);

        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fprintf(stderr, "role %d, %s: status %x\n", (int)role, tries[i].name, (unsigned)status);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}

static void forbidden_calls_kill(void)
{
    static const SandboxRole ROLES[] = { SANDBOX_WORKER, SANDBOX_KEEPER, SANDBOX_CONSOLE };

    for (size_t i = 0; i < COUNT_OF(ROLES); i++) {
        expect_killed(ROLES[i], FOR_ALL, COUNT_OF(FOR_ALL));
        if (ROLES[i] != SANDBOX_KEEPER)
            expect_killed(ROLES[i], FOR_FILES, COUNT_OF(FOR_FILES));
    }
}

static long nothing_forbidden(void)
{
    return write(FILE_FD, "x", 1) == 1 ? 0 : -1;
}

static void allowed_calls_do_not(void)
{
    EXPECT(in_sandbox(SANDBOX_WORKER, nothing_forbidden) == ALIVE);
    EXPECT(in_sandbox(SANDBOX_KEEPER, try_openat) == ALIVE);
}

static int outside_folder(void)
{
    static const SandboxPath TMP = { .path = "/tmp", .writable = true };

    if (sandbox_files(&TMP, 1) != OK)
        return NO_SANDBOX;
    if (open("/etc/passwd", O_RDONLY) >= 0 || open("/tmp", O_RDONLY | O_DIRECTORY) < 0)
        return 1;
    return ALIVE;
}

static void files_outside_are_shut(void)
{
    int status = 0;

    if (sandbox_landlock_abi() == 0)
        return;
    const pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0)
        _exit(outside_folder());
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
}

static void worker_may_not(void)
{
    static const char *const NEVER[] = { "openat",   "open",      "unlink", "ftruncate",
                                         "pwrite64", "fallocate", "rename" };
    size_t count;
    const SandboxCall *calls = sandbox_calls_table(&count);

    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < COUNT_OF(NEVER); n++)
            EXPECT(strcmp(calls[i].name, NEVER[n]) != 0 || (calls[i].roles & SANDBOX_WORKER) == 0);
}

int main(void)
{
#ifdef SANITIZED
    (void)worker_may_not, (void)forbidden_calls_kill, (void)allowed_calls_do_not;
    TEST(files_outside_are_shut);
    return SKIPPED;
#else
    if (!sandbox_has_seccomp())
        return SKIPPED;
    TEST(worker_may_not);
    TEST(files_outside_are_shut);
    TEST(allowed_calls_do_not);
    TEST(forbidden_calls_kill);
    return 0;
#endif
}
