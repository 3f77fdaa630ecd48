#include "supervisor/listeners.h"

#include "base/text.h"
#include "supervisor/children.h"
#include "sys/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 8192, FD_TEXT = 16 };

static const char VARIABLE[] = "CHAPERONE_LISTENERS";

/* What was passed on; as text, to be compared with what is wanted. */
typedef struct Passed {
    int fds[WORKERS_MAX];
    size_t count, taken;
    int admin_fd; /* -1: none */
    char address[512], admin_path[256];
} Passed;

/* --- passing on ----------------------------------------------------------------------------- */

static bool keep_open(int fd)
{
    return fd >= 0 && fcntl(fd, F_SETFD, 0) == 0;
}

static Err put_words(const Supervisor *s, Buf *out)
{
    const Gateway *g = &s->edition->config.gateway;

    for (size_t i = 0; i < s->worker_count; i++)
        TRY(text_format(out, "%s%d", i > 0 ? "," : "", s->workers[i].listen_fd));
    TRY(text_format(out, " %.*s:%u %d %.*s", SHOW(g->listen.postgres.host), g->listen.postgres.port,
                    s->console.listen_fd, SHOW(g->admin_socket)));
    return buf_byte(out, '\0');
}

bool listeners_pass_on(const Supervisor *s)
{
    CLEANUP(buf_done) Buf words = { 0 };
    bool kept = keep_open(s->console.listen_fd);

    for (size_t i = 0; i < s->worker_count; i++)
        kept = keep_open(s->workers[i].listen_fd) && kept;
    buf_init(&words, WORDS_MAX);
    return kept && put_words(s, &words) == OK &&
           setenv(VARIABLE, (const char *)buf_view(&words).ptr, 1) == 0;
}

/* --- taking over ---------------------------------------------------------------------------- */

static int next_fd(const char **at)
{
    char *end;
    const unsigned long fd = strtoul(*at, &end, 10);

    if (end == *at || fd > 1 << 20 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    *at = end;
    return (int)fd;
}

static void read_passed(Passed *p)
{
    const char *at = getenv(VARIABLE);

    *p = (Passed){ .admin_fd = -1 };
    if (at == NULL)
        return;
    for (int fd = next_fd(&at); fd >= 0 && p->count < WORKERS_MAX; fd = next_fd(&at)) {
        p->fds[p->count++] = fd;
        if (*at != ',')
            break;
        at++;
    }
    int used = 0;
    if (sscanf(at, " %511s %n", p->address, &used) == 1 && used > 0) {
        at += used;
        p->admin_fd = next_fd(&at);
        if (sscanf(at, " %255s", p->admin_path) != 1)
            p->admin_path[0] = '\0';
    }
    (void)unsetenv(VARIABLE); /* not for our children */
}

static void close_rest(const Passed *p, bool admin_taken)
{
    for (size_t i = p->taken; i < p->count; i++)
        close(p->fds[i]);
    if (p->admin_fd >= 0 && !admin_taken)
        close(p->admin_fd);
}

static bool say(const char *where)
{
    (void)fprintf(stderr, "chaperone: cannot listen on %s: %s\n", where, strerror(errno));
    return false;
}

static bool open_postgres(Supervisor *s, Passed *p)
{
    const Address *a = &s->edition->config.gateway.listen.postgres;
    char wanted[512];

    (void)snprintf(wanted, sizeof wanted, "%.*s:%u", SHOW(a->host), a->port);
    const bool same = strcmp(wanted, p->address) == 0;
    for (size_t i = 0; i < s->worker_count; i++) {
        if (same && p->taken < p->count)
            s->workers[i].listen_fd = p->fds[p->taken++];
        else if (net_listen(a->host, a->port, &s->workers[i].listen_fd) != OK)
            return say(wanted);
    }
    return true;
}

static bool open_admin(Supervisor *s, const Passed *p, bool *ret_taken)
{
    const char *path;

    if (arena_string(&s->arena, s->edition->config.gateway.admin_socket, &path) != OK)
        return false;
    *ret_taken = p->admin_fd >= 0 && strcmp(path, p->admin_path) == 0;
    if (*ret_taken) {
        s->console.listen_fd = p->admin_fd;
        return true;
    }
    return net_listen_unix(path, &s->console.listen_fd) == OK || say(path);
}

/* Opened anew each time: whoever scrapes comes again. */
static bool open_metrics(Supervisor *s)
{
    const Address *a = &s->edition->config.gateway.listen.metrics;
    char wanted[512];

    (void)snprintf(wanted, sizeof wanted, "%.*s:%u", SHOW(a->host), a->port);
    return a->port == 0 || net_listen(a->host, a->port, &s->metrics_fd) == OK || say(wanted);
}

bool listeners_open(Supervisor *s)
{
    Passed passed;
    bool admin_taken = false;

    read_passed(&passed);
    const bool opened =
        open_postgres(s, &passed) && open_admin(s, &passed, &admin_taken) && open_metrics(s);
    close_rest(&passed, admin_taken);
    return opened;
}
