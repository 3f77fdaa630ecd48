/* SIGUSR2: the binary on disk takes over, with our process id and our listening sockets.
 *
 *     try: `NEW config validate FILE` ── 0 ──▶ stop, as SIGTERM does ──▶ exec NEW serve FILE
 *              └── anything else: nothing happens
 *
 * Sessions end as with any stop; whoever comes meanwhile waits in the kernel's queue. */
#include "supervisor/children.h"
#include "supervisor/listeners.h"

#include "sys/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIAL_S = 10 };

static const char DELETED[] = " (deleted)";

/* Where our own was started from: a new one may lie there now. */
static bool find_binary(Supervisor *s)
{
    const ssize_t n = readlink("/proc/self/exe", s->binary_path, sizeof s->binary_path - 1);
    const size_t tail = sizeof DELETED - 1;

    if (n <= 0)
        return false;
    size_t len = (size_t)n;
    s->binary_path[len] = '\0';
    if (len > tail && strcmp(s->binary_path + len - tail, DELETED) == 0)
        s->binary_path[len - tail] = '\0';
    return access(s->binary_path, X_OK) == 0;
}

/* In the child: never comes back. */
static void run(const char *path, char *const *argv)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv(path, argv);
}

static void run_trial(const Supervisor *s)
{
    const char *argv[] = { "chaperone", "config", "validate", s->config_path, NULL };

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(TRIAL_S);
    run(s->binary_path, (char *const *)(uintptr_t)argv);
    _exit(1);
}

void upgrade_begin(Supervisor *s)
{
    if (s->stopping || s->trial_pid != 0)
        return;
    if (s->reload.phase != RELOAD_NOTHING || !s->announced) {
        log_line(LOG_ERROR, "upgrade", "not while the gateway starts or a reload is under way");
        return;
    }
    if (!find_binary(s)) {
        log_line(LOG_ERROR, "upgrade", "there is no binary at %s; nothing changed", s->binary_path);
        return;
    }
    const pid_t pid = fork();
    if (pid == 0)
        run_trial(s);
    if (pid < 0)
        log_line(LOG_ERROR, "upgrade", "the new binary cannot be tried; nothing changed");
    else
        s->trial_pid = pid;
}

void upgrade_tried(Supervisor *s, int status)
{
    s->trial_pid = 0;
    if (s->stopping)
        return;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        log_line(LOG_ERROR, "upgrade", "%s does not take the configuration; nothing changed",
                 s->binary_path);
        return;
    }
    log_line(LOG_INFO, "upgrade", "handing over to %s", s->binary_path);
    s->handing_over = true;
    children_stop(s);
}

void upgrade_exec(const Supervisor *s)
{
    const char *argv[] = { "chaperone", "serve", s->config_path, NULL };

    notify_pass_on(&s->notify);
    if (listeners_pass_on(s))
        run(s->binary_path, (char *const *)(uintptr_t)argv);
    log_line(LOG_ERROR, "upgrade", "cannot hand over: %s", strerror(errno));
}
