/* A CancelRequest on its way to a target, over a connection of its own: TLS first where the target
 * has it, then the request; the other side ends it. A pooler drops a request whose sender has gone.
 * Nobody waits for it; it has some seconds. */
#include "worker/worker.h"

#include "worker/leg.h"

#include <stdlib.h>
#include <unistd.h>

enum { CANCEL_MS = 10000, CANCEL_BYTES_MAX = 512, HEARD_MAX = 128 << 10 };

typedef struct Cancelling {
    const Target *target;
    uint32_t address;
    int fd, handles; /* handles that are not closed yet */
    Tls *tls;
    Buf packet, heard;
    bool sent;
    uv_poll_t poll;
    uv_timer_t timer;
} Cancelling;

static void closed(uv_handle_t *handle)
{
    Cancelling *c = handle->data;

    if (--c->handles > 0)
        return;
    buf_done(&c->packet);
    buf_done(&c->heard);
    free(c);
}

static void finish(Cancelling *c)
{
    tls_free(c->tls);
    c->tls = NULL;
    uv_close((uv_handle_t *)&c->poll, closed);
    uv_close((uv_handle_t *)&c->timer, closed);
    close(c->fd);
}

static void on_late(uv_timer_t *timer)
{
    finish(timer->data);
}

static void step(Cancelling *c);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    Cancelling *c = poll->data;

    (void)events;
    if (status != 0)
        finish(c);
    else
        step(c);
}

/* Nothing is expected (session tickets of TLS come), only the end. */
static void listen_on(Cancelling *c)
{
    const Err err = leg_read(c->fd, c->tls, &c->heard);

    buf_truncate(&c->heard, 0);
    if (err != OK)
        finish(c);
    else
        (void)uv_poll_start(&c->poll, leg_events(c->tls, UV_READABLE | UV_DISCONNECT), on_ready);
}

static void step(Cancelling *c)
{
    if (c->sent) {
        listen_on(c);
        return;
    }
    const char *why;
    size_t sent;
    const Err err = target_is_secured(c->target)
                        ? target_secure(c->target, c->address, c->fd, &c->tls, &why)
                        : OK;

    if (err == ERR_MORE) {
        (void)uv_poll_start(&c->poll, leg_handshake_events(c->tls), on_ready);
        return;
    }
    c->sent = err == OK && leg_write(c->fd, c->tls, buf_view(&c->packet), &sent) &&
              sent == buf_len(&c->packet);
    if (c->sent)
        listen_on(c);
    else
        finish(c);
}

static Err begin(const Session *s, Cancelling *c)
{
    uv_loop_t *loop = &s->worker->loop;

    buf_init(&c->packet, CANCEL_BYTES_MAX);
    buf_init(&c->heard, HEARD_MAX);
    TRY(pg_upstream_cancel(&s->upstream, &c->packet));
    if (target_is_secured(s->target))
        TRY(target_secure_begin(c->fd));
    if (uv_timer_init(loop, &c->timer) != 0 || uv_poll_init(loop, &c->poll, c->fd) != 0)
        return ERR_IO;
    c->poll.data = c->timer.data = c;
    return uv_timer_start(&c->timer, on_late, CANCEL_MS, 0) == 0 ? OK : ERR_IO;
}

void cancel_upstream(const Session *s, int fd)
{
    Cancelling *c = calloc(1, sizeof *c);

    if (c == NULL) {
        close(fd);
        return;
    }
    *c = (Cancelling){ .target = s->target, .address = s->route.address, .fd = fd, .handles = 2 };
    if (begin(s, c) == OK) {
        step(c);
        return;
    }
    buf_done(&c->packet);
    free(c);
    close(fd);
}
