#include "console/web.h"

#include "base/text.h"
#include "console/exposition.h"
#include "console/http.h"
#include "model/limits.h"
#include "sys/child.h"
#include "sys/net.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 64,
    FRESH_MS = 1000,   /* numbers of this age are given again */
    REQUEST_MS = 5000, /* for a whole request, and for taking the answer */
    NUMBERS_MS = 2000, /* the keeper's patience */
    READ_SIZE = 4 << 10,
};

static void on_ready(uv_poll_t *poll, int status, int events);

/* --- coming and going --------------------------------------------------------------------- */

static void poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void leave(Visitor *v)
{
    if (v->fd < 0)
        return;
    v->poll->data = NULL;
    (void)uv_poll_stop(v->poll);
    uv_close((uv_handle_t *)v->poll, poll_closed);
    close(v->fd);
    buf_done(&v->in);
    buf_done(&v->out);
    *v = (Visitor){ .web = v->web, .fd = -1 };
}

static bool admit(Visitor *v, int fd)
{
    Web *w = v->web;

    v->poll = malloc(sizeof *v->poll);
    if (v->poll == NULL || uv_poll_init(w->loop, v->poll, fd) != 0) {
        free(v->poll);
        v->poll = NULL;
        return false;
    }
    v->fd = fd;
    v->poll->data = v;
    v->since_ms = uv_now(w->loop);
    buf_init(&v->in, HTTP_HEAD_MAX + READ_SIZE);
    buf_init(&v->out, HTTP_ANSWER_MAX);
    (void)uv_poll_start(v->poll, UV_READABLE, on_ready);
    return true;
}

/* A free place, or that of whoever has been the slowest to say what is wanted. */
static Visitor *place_of(Web *w)
{
    Visitor *slowest = NULL;

    for (size_t i = 0; i < WEB_PLACES; i++) {
        Visitor *v = &w->visitors[i];

        if (v->fd < 0)
            return v;
        if (v->wants == WEB_REQUEST && (slowest == NULL || v->since_ms < slowest->since_ms))
            slowest = v;
    }
    if (slowest != NULL)
        leave(slowest);
    return slowest;
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    Web *w = poll->data;
    char peer[64];
    int fd;

    (void)events;
    for (int i = 0; status == 0 && i < ACCEPT_BATCH; i++) {
        if (net_accept(CHILD_METRICS_FD, &fd, peer) != OK)
            return;
        Visitor *place = place_of(w);
        if (place == NULL || !admit(place, fd))
            close(fd);
    }
}

/* --- answers ------------------------------------------------------------------------------ */

static void flush(Visitor *v)
{
    while (buf_len(&v->out) > 0) {
        const Bytes rest = buf_view(&v->out);
        const ssize_t n = send(v->fd, rest.ptr, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            (void)uv_poll_start(v->poll, UV_WRITABLE, on_ready);
            return;
        }
        if (n <= 0)
            break;
        buf_consume(&v->out, (size_t)n);
    }
    leave(v);
}

static void answer(Visitor *v, unsigned status, Bytes body)
{
    v->wants = WEB_GONE;
    v->since_ms = uv_now(v->web->loop);
    if (http_answer(&v->out, status, v->is_head, body) == OK)
        flush(v);
    else
        leave(v);
}

static void give_numbers(Visitor *v)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const WebWants wants = v->wants;
    Metrics m;

    buf_init(&body, HTTP_ANSWER_MAX / 2);
    if (unpack_metrics(buf_view(&v->web->numbers), &m) != OK) {
        answer(v, 503, LIT("the keeper's numbers cannot be read\n"));
    } else if (wants == WEB_READY) {
        const bool ready = exposition_ready(&m, &body);
        answer(v, ready ? 200 : 503, ready ? LIT("ready\n") : buf_view(&body));
    } else if (exposition_write(&m, &body) == OK) {
        answer(v, 200, buf_view(&body));
    } else {
        answer(v, 503, LIT("there are too many numbers\n"));
    }
}

static bool is_waiting(const Visitor *v)
{
    return v->fd >= 0 && (v->wants == WEB_METRICS || v->wants == WEB_READY);
}

static void on_numbers(void *ctx, const ChannelMessage *m)
{
    Web *w = ctx;

    w->asking = false;
    if (m == NULL)
        return;
    if (m->fd >= 0)
        close(m->fd);
    buf_truncate(&w->numbers, 0);
    if (buf_append(&w->numbers, m->body) != OK)
        return;
    w->told_ms = uv_now(w->loop);
    for (size_t i = 0; i < WEB_PLACES; i++)
        if (is_waiting(&w->visitors[i]))
            give_numbers(&w->visitors[i]);
}

static void want_numbers(Visitor *v, WebWants wants)
{
    Web *w = v->web;

    v->wants = wants;
    v->since_ms = uv_now(w->loop);
    if (w->told_ms != 0 && uv_now(w->loop) - w->told_ms < FRESH_MS) {
        give_numbers(v);
        return;
    }
    (void)uv_poll_stop(v->poll); /* what else it says is not read */
    if (!w->asking)
        w->asking = channel_ask(w->keeper, ASK_METRICS, (Bytes){ 0 }, on_numbers, w) == OK;
    if (!w->asking)
        answer(v, 503, LIT("the keeper is starting\n"));
}

/* --- requests ----------------------------------------------------------------------------- */

static void take_request(Visitor *v)
{
    unsigned status;
    HttpAsk ask;

    if (http_read(buf_view(&v->in), &ask, &status) == ERR_MORE)
        return;
    v->is_head = ask.is_head;
    if (status != 200)
        answer(v, status, LIT("GET /metrics, /healthz or /readyz\n"));
    else if (text_eq(ask.path, LIT("/metrics")))
        want_numbers(v, WEB_METRICS);
    else if (text_eq(ask.path, LIT("/readyz")))
        want_numbers(v, WEB_READY);
    else if (text_eq(ask.path, LIT("/healthz")))
        answer(v, 200, LIT("ok\n"));
    else
        answer(v, 404, LIT("there are /metrics, /healthz and /readyz\n"));
}

static bool read_some(Visitor *v)
{
    uint8_t *room;
    size_t size;

    if (buf_room(&v->in, 1, &room, &size) != OK)
        return false;
    const ssize_t n = recv(v->fd, room, size < READ_SIZE ? size : READ_SIZE, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_filled(&v->in, (size_t)n);
    return n > 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    Visitor *v = poll->data;

    (void)events;
    if (v == NULL)
        return;
    if (status != 0)
        leave(v);
    else if (v->wants == WEB_GONE)
        flush(v);
    else if (!read_some(v))
        leave(v);
    else
        take_request(v);
}

/* --- the life of it ----------------------------------------------------------------------- */

Err web_begin(Web *w, uv_loop_t *loop, Channel *keeper)
{
    w->loop = loop;
    w->keeper = keeper;
    buf_init(&w->numbers, LIMIT_IPC_MESSAGE);
    for (size_t i = 0; i < WEB_PLACES; i++)
        w->visitors[i] = (Visitor){ .web = w, .fd = -1 };
    if (uv_poll_init(loop, &w->listener, CHILD_METRICS_FD) != 0)
        return ERR_IO;
    w->listener.data = w;
    return uv_poll_start(&w->listener, UV_READABLE, on_listener) == 0 ? OK : ERR_IO;
}

void web_sweep(Web *w)
{
    for (size_t i = 0; i < WEB_PLACES; i++) {
        Visitor *v = &w->visitors[i];
        const uint64_t age_ms = v->fd >= 0 ? uv_now(w->loop) - v->since_ms : 0;

        if (is_waiting(v) && age_ms > NUMBERS_MS)
            answer(v, 503, LIT("the keeper does not answer\n"));
        else if (!is_waiting(v) && age_ms > REQUEST_MS)
            leave(v);
    }
}
