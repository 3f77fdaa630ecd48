/* A connection to a target, for a worker that may not make sockets. Name resolution blocks and
 * loads code, so each dial is a process of its own that ends when it has answered. */
#include "supervisor/children.h"

#include "base/text.h"
#include "sys/fd_pass.h"
#include "sys/log.h"
#include "sys/net.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { DIAL_TIMEOUT_S = 5, DIAL_LIFE_S = 20, HOST_MAX = 512 };

static void answer(Dial *d, int fd, const char *why)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const DialAnswer a = { .ok = fd >= 0, .why = text_of(why) };

    buf_init(&body, 1024);
    if (d->asker->channel == NULL || d->asker->pid != d->asker_pid)
        return; /* it was restarted meanwhile */
    if (pack_dial_answer(&body, &a) == OK)
        (void)!channel_reply_to(d->asker->channel, ASK_DIAL, d->id, buf_view(&body), fd);
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void finish(Supervisor *s, Dial *d)
{
    for (Dial **at = &s->dials; *at != NULL; at = &(*at)->next) {
        if (*at == d) {
            *at = d->next;
            break;
        }
    }
    /* First out of epoll: other dialers inherited this end, so that closing ours takes nothing out,
     * and the next dial with the same number would get its events. */
    uv_close((uv_handle_t *)&d->poll, closed);
    close(d->result_fd);
}

static void on_result(uv_poll_t *poll, int status, int events)
{
    Dial *d = poll->data;
    char why[128] = "the dialer ended";
    int fd = -1;

    (void)status;
    (void)events;
    const ssize_t n = fd_pass_receive(d->result_fd, why, sizeof why - 1, &fd);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0)
        why[n] = '\0';
    answer(d, fd, why);
    if (fd >= 0)
        close(fd);
    finish(d->asker->supervisor, d);
}

/* In the dialer. */
static void dial_and_end(const char *host, uint16_t port, int result_fd)
{
    const char *why = "";
    int fd = -1;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(DIAL_LIFE_S);
    if (net_dial(host, port, DIAL_TIMEOUT_S, &fd, &why) == OK)
        net_no_delay(fd);
    (void)fd_pass_send(result_fd, text_of(fd >= 0 ? "connected" : why), fd);
    _exit(0);
}

static Err spawn_dialer(Supervisor *s, Dial *d, const Resource *resource)
{
    char host[HOST_MAX];
    int pair[2];

    if (resource->address.host.len >= sizeof host)
        return ERR_LIMIT;
    (void)snprintf(host, sizeof host, "%.*s", SHOW(resource->address.host));
    TRY(channel_pair(pair));
    d->pid = fork();
    if (d->pid == 0)
        dial_and_end(host, resource->address.port, pair[1]);
    close(pair[1]);
    d->result_fd = pair[0];
    if (d->pid < 0 || uv_poll_init(&s->loop, &d->poll, pair[0]) != 0) {
        close(pair[0]);
        return ERR_IO;
    }
    d->poll.data = d;
    (void)uv_poll_start(&d->poll, UV_READABLE | UV_DISCONNECT, on_result);
    return OK;
}

static const Resource *resource_of(const Supervisor *s, const DialAsk *ask)
{
    const Loaded *l = loaded_of(s->edition, ask->epoch);

    return l != NULL && ask->resource < l->config.policy.resources.count
               ? &l->config.policy.resources.at[ask->resource]
               : NULL;
}

void dial_start(Child *asker, const ChannelMessage *m)
{
    Supervisor *s = asker->supervisor;
    DialAsk ask;
    Dial *d = calloc(1, sizeof *d);

    if (d == NULL)
        return;
    *d = (Dial){ .asker = asker, .asker_pid = asker->pid, .id = m->id };
    const Resource *resource = unpack_dial(m->body, &ask) == OK ? resource_of(s, &ask) : NULL;
    if (resource == NULL || spawn_dialer(s, d, resource) != OK) {
        answer(d, -1, "the gateway cannot dial");
        free(d);
        return;
    }
    d->next = s->dials;
    s->dials = d;
}
