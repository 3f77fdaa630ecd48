#include "supervisor/supervisor.h"

#include "base/text.h"
#include "config/public_files.h"
#include "supervisor/children.h"
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

enum { EXIT_USAGE = 2, EXIT_FAILED = 1 };

/* --- configuration ---------------------------------------------------------------------- */

static bool load(Supervisor *s, const char *path)
{
    CLEANUP(buf_done) Buf yaml = { 0 }, words = { 0 };
    Problems problems = { 0 };

    buf_init(&yaml, CONFIG_BYTES_MAX);
    buf_init(&words, 1 << 20);
    if (file_read_all(path, &yaml) != OK) {
        (void)fprintf(stderr, "chaperone: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    arena_init(&s->arena, CONFIG_ARENA_BYTES);
    const Err err = config_load(buf_view(&yaml), &s->arena, &s->config, &problems);
    if (problems_print(&problems, buf_view(&yaml), path, &words) == OK)
        (void)fprintf(stderr, "%.*s", SHOW(buf_view(&words)));
    if (err != OK)
        return false;
    if (memfd_sealed("chaperone.yaml", buf_view(&yaml), &s->config_fd) != OK) {
        (void)fprintf(stderr, "chaperone: memfd: %s\n", strerror(errno));
        return false;
    }
    return true;
}

static bool read_public_files(Supervisor *s)
{
    CLEANUP(buf_done) Buf packed = { 0 };
    const char *path;

    buf_init(&packed, PUBLIC_FILES_MAX);
    const Err err = public_files_read(&s->config, &s->arena, &packed, &path);
    if (err != OK) {
        (void)fprintf(stderr, "chaperone: cannot read %s: %s\n", path,
                      err == ERR_IO ? strerror(errno) : "it is too large");
        return false;
    }
    if (memfd_sealed("certificates", buf_view(&packed), &s->files_fd) != OK) {
        (void)fprintf(stderr, "chaperone: memfd: %s\n", strerror(errno));
        return false;
    }
    return true;
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
    const Storage *storage = &s->config.storage;
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

/* --- listeners -------------------------------------------------------------------------- */

static bool listen_metrics(Supervisor *s)
{
    const Address *address = &s->config.gateway.listen.metrics;

    if (address->port == 0 || net_listen(address->host, address->port, &s->metrics_fd) == OK)
        return true;
    (void)fprintf(stderr, "chaperone: cannot listen on %.*s:%u: %s\n", SHOW(address->host),
                  address->port, strerror(errno));
    return false;
}

static bool listen_all(Supervisor *s)
{
    const Address *address = &s->config.gateway.listen.postgres;
    const char *socket_path;

    for (size_t i = 0; i < s->worker_count; i++) {
        if (net_listen(address->host, address->port, &s->workers[i].listen_fd) == OK)
            continue;
        (void)fprintf(stderr, "chaperone: cannot listen on %.*s:%u: %s\n", SHOW(address->host),
                      address->port, strerror(errno));
        return false;
    }
    if (arena_string(&s->arena, s->config.gateway.admin_socket, &socket_path) != OK ||
        net_listen_unix(socket_path, &s->console.listen_fd) != OK) {
        (void)fprintf(stderr, "chaperone: cannot listen on %.*s: %s\n",
                      SHOW(s->config.gateway.admin_socket), strerror(errno));
        return false;
    }
    return listen_metrics(s);
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
    children_stop(s);
}

static void count_workers(Supervisor *s)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const uint64_t wanted = s->config.gateway.workers;

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

static bool start(Supervisor *s)
{
    uv_signal_t *const signals[] = { &s->on_child, &s->on_term, &s->on_int };
    const int numbers[] = { SIGCHLD, SIGTERM, SIGINT };

    if (uv_loop_init(&s->loop) != 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        (void)uv_signal_init(&s->loop, signals[i]);
        signals[i]->data = s;
        (void)uv_signal_start(signals[i], i == 0 ? on_child_signal : on_stop_signal, numbers[i]);
    }
    start_watchdog(s);
    return children_start(s);
}

int supervisor_serve(const char *config_path)
{
    static Supervisor s; /* large, and there is one */

    log_begin("supervisor");
    (void)signal(SIGPIPE, SIG_IGN);
    s = (Supervisor){
        .config_fd = -1, .files_fd = -1, .metrics_fd = -1, .console = { .listen_fd = -1 }
    };
    if (!load(&s, config_path) || !read_public_files(&s))
        return EXIT_USAGE;
    notify_begin(&s.notify);
    count_workers(&s);
    choose_uids(&s);
    if (!prepare_folders(&s) || !listen_all(&s) || child_open_binary(&s.binary_fd) != OK)
        return EXIT_FAILED;
    if (!start(&s)) {
        (void)fprintf(stderr, "chaperone: cannot start: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    log_line(LOG_INFO, "stopped", "all processes have ended");
    return s.failed ? EXIT_FAILED : 0;
}
