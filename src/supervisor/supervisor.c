#include "supervisor/supervisor.h"

#include "base/text.h"
#include "supervisor/children.h"
#include "supervisor/listeners.h"
#include "sys/descriptors.h"
#include "sys/entropy.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/net.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_FAILED = 1, PATHS_ARENA = 1 << 20 };

/* --- configuration ---------------------------------------------------------------------- */

static bool load(Supervisor *s, const char *path)
{
    CLEANUP(buf_done) Buf words = { 0 };

    buf_init(&words, 1 << 20);
    s->config_path = path;
    const Err err = loaded_read(path, 1, &s->edition, &words);
    const Bytes said = buf_view(&words);
    const bool ended = said.len == 0 || said.ptr[said.len - 1] == '\n';
    (void)fprintf(stderr, "%.*s%s", SHOW(said), ended ? "" : "\n");
    return err == OK;
}

/* --- state folders ---------------------------------------------------------------------- */

static bool make_folder(const char *path, uid_t owner)
{
    char part[4096];

    if (strlen(path) >= sizeof part)
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return false;
    }
    if (dir_make(path, 0700) != OK)
        return false;
    return geteuid() != 0 || chown(path, owner, owner) == 0;
}

static bool make_folder_of(Supervisor *s, Bytes file)
{
    const char *path;

    if (arena_string(&s->arena, file, &path) != OK)
        return false;
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return true;
    *slash = '\0';
    return make_folder(path, s->uids[CHILD_KEEPER]);
}

static bool prepare_folders(Supervisor *s)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Storage *storage = &s->edition->config.storage;
    const char *journal;
    const Bytes state = text_starts(storage->state, SQLITE) ? bytes_from(storage->state, SQLITE.len)
                                                            : storage->state;

    if (arena_string(&s->arena, storage->journal, &journal) != OK || !make_folder_of(s, state) ||
        !make_folder(journal, s->uids[CHILD_KEEPER])) {
        (void)fprintf(stderr, "chaperone: cannot make the state folders: %s\n", strerror(errno));
        return false;
    }
    return true;
}

/* --- running ---------------------------------------------------------------------------- */

static void on_child_signal(uv_signal_t *signal_handle, int number)
{
    (void)number;
    children_reap(signal_handle->data);
}

static void on_stop_signal(uv_signal_t *signal_handle, int number)
{
    Supervisor *s = signal_handle->data;

    (void)number;
    notify_tell(&s->notify, "STOPPING=1");
    s->handing_over = false; /* to end is the later wish */
    children_stop(s);
}

static void on_upgrade_signal(uv_signal_t *signal_handle, int number)
{
    (void)number;
    upgrade_begin(signal_handle->data);
}

static void on_reload_signal(uv_signal_t *signal_handle, int number)
{
    (void)number;
    reload_on_signal(signal_handle->data);
}

static void count_workers(Supervisor *s)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const uint64_t wanted = s->edition->config.gateway.workers;

    s->worker_count = wanted > 0 ? (size_t)wanted : cores > 0 ? (size_t)cores : 1;
    if (s->worker_count > WORKERS_MAX)
        s->worker_count = WORKERS_MAX;
}

/* Three accounts of their own when we may; else all are ours, and the keeper looks at pids. */
static void choose_uids(Supervisor *s)
{
    if (geteuid() != 0)
        return;
    for (int kind = 0; kind < CHILD_KINDS; kind++)
        s->uids[kind] = (uid_t)(SUPERVISOR_FIRST_UID + kind);
}

static void on_watchdog(uv_timer_t *timer)
{
    const Supervisor *s = timer->data;

    notify_tell(&s->notify, "WATCHDOG=1");
}

/* The loop that starts and ends processes still turns: said twice in each period. */
static void start_watchdog(Supervisor *s)
{
    const uint64_t every_ms = s->notify.watchdog_ms / 2;

    (void)uv_timer_init(&s->loop, &s->watchdog);
    s->watchdog.data = s;
    if (every_ms > 0)
        (void)uv_timer_start(&s->watchdog, on_watchdog, every_ms, every_ms);
}

/* Before there are children: they inherit it. */
static void raise_descriptors(void)
{
    const uint64_t limit = descriptors_raise();

    if (limit < DESCRIPTORS_WANTED)
        log_line(LOG_WARN, "start",
                 "%llu open files are allowed: a worker takes %zu sessions, no more (LimitNOFILE)",
                 (unsigned long long)limit, descriptors_sessions(limit));
}

static bool start(Supervisor *s)
{
    uv_signal_t *const signals[] = { &s->on_child, &s->on_term, &s->on_int, &s->on_hup,
                                     &s->on_usr2 };
    const int numbers[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2 };
    const uv_signal_cb handlers[] = { on_child_signal, on_stop_signal, on_stop_signal,
                                      on_reload_signal, on_upgrade_signal };

    if (uv_loop_init(&s->loop) != 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        (void)uv_signal_init(&s->loop, signals[i]);
        signals[i]->data = s;
        (void)uv_signal_start(signals[i], handlers[i], numbers[i]);
    }
    reload_init(s);
    start_watchdog(s);
    return children_start(s);
}

int supervisor_serve(const char *config_path)
{
    static Supervisor s; /* large, and there is one */

    log_begin("supervisor");
    (void)signal(SIGPIPE, SIG_IGN);
    s = (Supervisor){ .metrics_fd = -1, .console = { .listen_fd = -1 } };
    arena_init(&s.arena, PATHS_ARENA);
    if (!load(&s, config_path))
        return EXIT_USAGE;
    notify_begin(&s.notify);
    raise_descriptors();
    count_workers(&s);
    choose_uids(&s);
    if (!prepare_folders(&s) || !listeners_open(&s) || child_open_binary(&s.binary_fd) != OK)
        return EXIT_FAILED;
    if (!start(&s)) {
        (void)fprintf(stderr, "chaperone: cannot start: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    log_line(LOG_INFO, "stopped", "all processes have ended");
    if (s.handing_over && !s.failed)
        upgrade_exec(&s);
    return s.failed || s.handing_over ? EXIT_FAILED : 0;
}
