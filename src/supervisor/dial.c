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

enum {
    ENDPOINT_S = 3,    /* for each address */
    ENDPOINTS_MAX = 5, /* that do not answer, in one dial: the asker asks again */
    DIAL_LIFE_S = 20,
    HOST_BYTES = 256,
    ANSWER_MAX = 8 << 10,
};

/* As the dialer packed it, or the gateway's own words. */
static void answer(const Dial *d, int fd, Bytes packed)
{
    if (d->asker->channel == NULL || d->asker->pid != d->asker_pid)
        return; /* it was restarted meanwhile */
    (void)!channel_reply_to(d->asker->channel, ASK_DIAL, d->id, packed, fd);
}

static void answer_no(const Dial *d, const char *why)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const DialAnswer a = { .why = text_of(why) };

    buf_init(&body, 1024);
    if (pack_dial_answer(&body, &a) == OK)
        answer(d, -1, buf_view(&body));
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
    uint8_t packed[ANSWER_MAX];
    int fd = -1;

    (void)status;
    (void)events;
    const ssize_t n = fd_pass_receive(d->result_fd, packed, sizeof packed, &fd);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0)
        answer(d, fd, (Bytes){ packed, (size_t)n });
    else
        answer_no(d, "nothing answered in time");
    if (fd >= 0)
        close(fd);
    finish(d->asker->supervisor, d);
}

/* --- in the dialer ---------------------------------------------------------------------------- */

typedef struct Search {
    const DialAsk *ask;
    const Address *address;
    size_t count;
    Buf failed, why;
} Search;

static bool is_listed(PackList list, Bytes endpoint)
{
    Bytes one;

    while (pack_next(&list, &one))
        if (text_eq(one, endpoint))
            return true;
    return false;
}

static bool wanted(void *ctx, const char *endpoint)
{
    const Search *s = ctx;
    const Bytes text = text_of(endpoint), only = s->ask->only;

    return s->count < ENDPOINTS_MAX && (only.len == 0 || text_eq(text, only)) &&
           !is_listed(s->ask->tried, text) && !is_listed((PackList){ buf_view(&s->failed) }, text);
}

static void failed(void *ctx, const char *endpoint, const char *why)
{
    Search *s = ctx;
    const bool known = endpoint[0] != '\0';

    if (known)
        s->count++;
    if (!known && buf_len(&s->failed) == 0 && s->ask->tried.packed.len > 0)
        return; /* said before */
    if (known && pack_item(&s->failed, text_of(endpoint)) != OK)
        return;
    (void)!text_format(&s->why, known ? "%s%.*s:%u (%s): %s" : "%s%.*s:%u: %s%s",
                       buf_len(&s->why) > 0 ? "; " : "", SHOW(s->address->host), s->address->port,
                       endpoint, why);
}

static bool host_of(const Address *a, char ret[HOST_BYTES])
{
    if (a->host.len >= HOST_BYTES)
        return false;
    memcpy(ret, a->host.ptr, a->host.len);
    ret[a->host.len] = '\0';
    return true;
}

static void dial_and_end(const Resource *resource, const DialAsk *ask, int result_fd)
{
    CLEANUP(buf_done) Buf body = { 0 };
    char endpoint[NET_ENDPOINT_BYTES] = "", host[HOST_BYTES];
    Search search = { .ask = ask };
    DialAnswer a = { 0 };
    int fd = -1;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(DIAL_LIFE_S);
    buf_init(&search.failed, ANSWER_MAX / 4);
    buf_init(&search.why, ANSWER_MAX / 2);
    buf_init(&body, ANSWER_MAX);
    for (size_t i = 0; i < resource->addresses.count && fd < 0; i++) {
        const Address *at = search.address = &resource->addresses.at[i];
        const NetDial dial = { host, at->port, ENDPOINT_S, wanted, failed, &search };

        a.address = (uint32_t)i;
        if (!host_of(at, host) || net_dial(&dial, &fd, endpoint) != OK)
            fd = -1;
    }
    a.ok = fd >= 0;
    a.endpoint = text_of(endpoint);
    a.failed.packed = buf_view(&search.failed);
    a.why = buf_view(&search.why);
    if (fd >= 0)
        net_no_delay(fd);
    if (pack_dial_answer(&body, &a) == OK)
        (void)fd_pass_send(result_fd, buf_view(&body), fd);
    _exit(0);
}

/* --- in the supervisor ------------------------------------------------------------------------ */

static Err spawn_dialer(Supervisor *s, Dial *d, const Resource *resource, const DialAsk *ask)
{
    int pair[2];

    TRY(channel_pair(pair));
    d->pid = fork();
    if (d->pid == 0)
        dial_and_end(resource, ask, pair[1]);
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
    const Dial asked = { .asker = asker, .asker_pid = asker->pid, .id = m->id };
    Dial *d = calloc(1, sizeof *d);

    if (d == NULL) {
        answer_no(&asked, "the gateway is out of memory");
        return;
    }
    *d = asked;
    const Resource *resource = unpack_dial(m->body, &ask) == OK ? resource_of(s, &ask) : NULL;
    if (resource == NULL || spawn_dialer(s, d, resource, &ask) != OK) {
        answer_no(d, "the gateway cannot dial");
        free(d);
        return;
    }
    d->next = s->dials;
    s->dials = d;
}
