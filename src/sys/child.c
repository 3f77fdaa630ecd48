#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_CANNOT_START = 125, FD_ABOVE = 64 };

Err child_open_binary(int *ret_fd)
{
    *ret_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    return *ret_fd >= 0 ? OK : ERR_IO;
}

/* Twice: no source may be overwritten before it was moved. */
static void place_descriptors(const ChildSpec *spec)
{
    int high[CHILD_FD_COUNT];

    for (int i = 0; i < CHILD_FD_COUNT; i++)
        high[i] = spec->fds[i] >= 0 ? fcntl(spec->fds[i], F_DUPFD_CLOEXEC, FD_ABOVE) : -1;
    if (spec->stderr_fd >= 0)
        (void)dup2(spec->stderr_fd, STDERR_FILENO);
    for (int i = 0; i < CHILD_FD_COUNT; i++) {
        if (high[i] >= 0)
            (void)dup2(high[i], CHILD_SUPERVISOR_FD + i);
        else
            close(CHILD_SUPERVISOR_FD + i);
    }
}

static void become(uid_t uid)
{
    if (uid == 0)
        return;
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        _exit(EXIT_CANNOT_START);
}

static void run(const ChildSpec *spec, pid_t parent)
{
    const char *argv[8] = { "chaperone", "--child", spec->role };
    size_t count = 3;
    sigset_t none;
    /* A copy high enough not to be overwritten by place_descriptors(). */
    const int binary = fcntl(spec->binary_fd, F_DUPFD_CLOEXEC, FD_ABOVE);

    for (size_t i = 0; i < COUNT_OF(spec->arguments) && spec->arguments[i] != NULL; i++)
        argv[count++] = spec->arguments[i];
    place_descriptors(spec);
    become(spec->uid);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_CANNOT_START);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    char *const *args = (char *const *)(uintptr_t)argv;
    (void)syscall(SYS_execveat, binary, "", args, environ, AT_EMPTY_PATH);
    _exit(EXIT_CANNOT_START);
}

Err child_spawn(const ChildSpec *spec, pid_t *ret_pid)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();

    if (pid < 0)
        return ERR_IO;
    if (pid == 0)
        run(spec, parent);
    *ret_pid = pid;
    return OK;
}

void child_begin(void)
{
    const struct rlimit none = { 0, 0 };

    /* One arena: a second one asks /proc about memory when it shrinks, which a sandbox forbids. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGPIPE, SIG_IGN);
    /* Ctrl-C in a terminal goes to the whole group; the supervisor decides when we end. */
    (void)signal(SIGINT, SIG_IGN);
    for (int fd = CHILD_SUPERVISOR_FD; fd < CHILD_SUPERVISOR_FD + CHILD_FD_COUNT; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}
