#include "sys/channel.h"

#include "base/reader.h"
#include "sys/fd_pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PACKET_MAX = 128 * 1024, /* 256 KiB is EMSGSIZE with the default socket buffers */
    BODY_MAX = PACKET_MAX - 12,
    WAITING_MAX = 4096, /* messages the kernel did not take yet */
    OPEN_MAX_QUESTIONS = 65536,
    READ_BATCH = 64, /* messages handled before other descriptors get a turn */
};

enum { FLAG_QUESTION = 1, FLAG_ANSWER = 2 };

typedef struct Outgoing {
    struct Outgoing *next;
    Buf packet;
    int fd; /* our own duplicate, or -1 */
} Outgoing;

typedef struct Question {
    struct Question *next, *previous;
    uint64_t id;
    uint16_t kind;
    Buf packet;
    ChannelAnswer *answer;
    void *ctx;
} Question;

struct Channel {
    uv_loop_t *loop;
    uv_poll_t *poll; /* freed by its own close callback */
    int fd;
    ChannelHandlers handlers;
    Outgoing *first, *last;
    size_t waiting, open_questions;
    Question *questions;
    uint64_t next_id;
    uint8_t *packet; /* PACKET_MAX */
    bool handling, freed;
    bool left; /* a send has said so; what the other side said before may still be unread */
};

static void on_ready(uv_poll_t *poll, int status, int events);

static void poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void watch(Channel *c)
{
    const int events = UV_READABLE | (c->first != NULL ? UV_WRITABLE : 0);

    if (c->poll != NULL)
        (void)uv_poll_start(c->poll, events, on_ready);
}

static void drop_outgoing(Channel *c)
{
    Outgoing *o = c->first;

    c->first = o->next;
    if (c->first == NULL)
        c->last = NULL;
    c->waiting--;
    if (o->fd >= 0)
        close(o->fd);
    buf_done(&o->packet);
    free(o);
}

/* Stop using this descriptor; questions stay open for channel_replace(). */
static void detach(Channel *c)
{
    if (c->poll != NULL) {
        (void)uv_poll_stop(c->poll);
        c->poll->data = NULL;
        uv_close((uv_handle_t *)c->poll, poll_closed);
        c->poll = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    while (c->first != NULL)
        drop_outgoing(c);
}

static Err attach(Channel *c, int fd)
{
    c->fd = fd;
    c->left = false;
    c->poll = malloc(sizeof *c->poll);
    if (c->poll == NULL)
        return ERR_LIMIT;
    if (uv_poll_init(c->loop, c->poll, fd) != 0) {
        free(c->poll);
        c->poll = NULL;
        return ERR_IO;
    }
    c->poll->data = c;
    watch(c);
    return OK;
}

Err channel_new(uv_loop_t *loop, int fd, const ChannelHandlers *handlers, Channel **ret)
{
    Channel *c = calloc(1, sizeof *c);

    if (c == NULL)
        return ERR_LIMIT;
    *c = (Channel){ .loop = loop, .fd = -1, .handlers = *handlers, .next_id = 1 };
    c->packet = malloc(PACKET_MAX);
    const Err err = c->packet != NULL ? attach(c, fd) : ERR_LIMIT;
    if (err != OK) {
        channel_free(c);
        return err;
    }
    *ret = c;
    return OK;
}

static void unlink_question(Channel *c, Question *q)
{
    if (q->previous != NULL)
        q->previous->next = q->next;
    else
        c->questions = q->next;
    if (q->next != NULL)
        q->next->previous = q->previous;
    c->open_questions--;
}

static void free_question(Question *q)
{
    buf_done(&q->packet);
    free(q);
}

void channel_free(Channel *c)
{
    detach(c);
    c->freed = true;
    while (c->questions != NULL) {
        Question *q = c->questions;

        unlink_question(c, q);
        if (q->answer != NULL)
            q->answer(q->ctx, NULL);
        free_question(q);
    }
    if (c->handling)
        return; /* read_all() frees it when it comes back */
    free(c->packet);
    free(c);
}

bool channel_is_open(const Channel *c)
{
    return c->fd >= 0;
}

bool channel_is_left(const Channel *c)
{
    return c->left;
}

/* --- sending -------------------------------------------------------------------------- */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM ||
           errno == EINTR;
}

/* A message is lost for good. Whoever waits for it would wait for ever: both sides are told, by
 * their read side, once they have read what came before. */
static void give_up(Channel *c)
{
    c->left = errno == EPIPE || errno == ECONNRESET;
    (void)shutdown(c->fd, SHUT_RDWR);
}

static Err wait_in_line(Channel *c, Bytes packet, int fd)
{
    if (c->waiting >= WAITING_MAX)
        return ERR_LIMIT;
    Outgoing *o = calloc(1, sizeof *o);
    if (o == NULL)
        return ERR_LIMIT;
    buf_init(&o->packet, PACKET_MAX);
    o->fd = fd >= 0 ? dup(fd) : -1;
    if (buf_append(&o->packet, packet) != OK || (fd >= 0 && o->fd < 0)) {
        buf_done(&o->packet);
        free(o);
        return ERR_LIMIT;
    }
    if (c->last != NULL)
        c->last->next = o;
    else
        c->first = o;
    c->last = o;
    c->waiting++;
    watch(c);
    return OK;
}

static Err send_or_wait(Channel *c, Bytes packet, int fd)
{
    if (c->fd < 0)
        return ERR_IO;
    if (c->first != NULL)
        return wait_in_line(c, packet, fd);
    if (fd_pass_send(c->fd, packet, fd) >= 0)
        return OK;
    if (would_block())
        return wait_in_line(c, packet, fd);
    give_up(c);
    return ERR_IO;
}

static void send_waiting(Channel *c)
{
    while (c->first != NULL) {
        if (fd_pass_send(c->fd, buf_view(&c->first->packet), c->first->fd) < 0) {
            if (!would_block())
                give_up(c);
            break;
        }
        drop_outgoing(c);
    }
    watch(c);
}

typedef struct Head {
    uint16_t kind, flags;
    uint64_t id;
} Head;

static Err put_packet(Head head, Bytes body, Buf *out)
{
    buf_init(out, PACKET_MAX);
    TRY(buf_u16(out, head.kind));
    TRY(buf_u16(out, head.flags));
    TRY(buf_u64(out, head.id));
    return buf_append(out, body);
}

/* Nobody keeps it: what cannot even wait in line is lost for good. */
static Err send_once(Channel *c, Head head, Bytes body, int fd)
{
    CLEANUP(buf_done) Buf packet = { 0 };

    if (c->fd < 0)
        return ERR_IO;
    if (body.len > BODY_MAX)
        return ERR_LIMIT;
    Err err = put_packet(head, body, &packet);
    if (err == OK)
        err = send_or_wait(c, buf_view(&packet), fd);
    if (err == ERR_LIMIT)
        give_up(c);
    return err;
}

Err channel_tell(Channel *c, uint16_t kind, Bytes body, int fd)
{
    return send_once(c, (Head){ .kind = kind }, body, fd);
}

Err channel_reply_to(Channel *c, uint16_t kind, uint64_t id, Bytes body, int fd)
{
    return send_once(c, (Head){ kind, FLAG_ANSWER, id }, body, fd);
}

Err channel_reply(Channel *c, const ChannelMessage *to, Bytes body, int fd)
{
    return channel_reply_to(c, to->kind, to->id, body, fd);
}

Err channel_ask(Channel *c, uint16_t kind, Bytes body, ChannelAnswer *answer, void *ctx)
{
    if (c->open_questions >= OPEN_MAX_QUESTIONS)
        return ERR_LIMIT;
    Question *q = calloc(1, sizeof *q);
    if (q == NULL)
        return ERR_LIMIT;
    *q = (Question){ .id = c->next_id++, .kind = kind, .answer = answer, .ctx = ctx };
    Err err = put_packet((Head){ kind, FLAG_QUESTION, q->id }, body, &q->packet);
    if (err == OK && c->fd >= 0)
        err = send_or_wait(c, buf_view(&q->packet), -1);
    if (err == ERR_IO)
        err = OK; /* the peer is down: asked again when it is back */
    if (err != OK) {
        free_question(q);
        return err;
    }
    q->next = c->questions;
    if (q->next != NULL)
        q->next->previous = q;
    c->questions = q;
    c->open_questions++;
    return OK;
}

void channel_forget(Channel *c, const void *ctx)
{
    for (Question *q = c->questions; q != NULL; q = q->next)
        if (q->ctx == ctx)
            q->answer = NULL;
}

Err channel_replace(Channel *c, int fd)
{
    detach(c);
    TRY(attach(c, fd));
    /* Oldest first: the list grows at its front. */
    Question *q = c->questions;
    while (q != NULL && q->next != NULL)
        q = q->next;
    for (; q != NULL; q = q->previous)
        TRY(send_or_wait(c, buf_view(&q->packet), -1));
    return OK;
}

/* --- receiving ------------------------------------------------------------------------ */

static void answered(Channel *c, const ChannelMessage *m)
{
    Question *q = c->questions;

    while (q != NULL && q->id != m->id)
        q = q->next;
    if (q == NULL || q->kind != m->kind || q->answer == NULL) {
        if (m->fd >= 0)
            close(m->fd);
    }
    if (q == NULL || q->kind != m->kind)
        return;
    unlink_question(c, q);
    if (q->answer != NULL)
        q->answer(q->ctx, m);
    free_question(q);
}

static Err dispatch(Channel *c, Bytes packet, int fd)
{
    Reader r = reader_of(packet);
    ChannelMessage m = { .fd = fd };
    uint16_t flags;

    TRY(reader_u16(&r, &m.kind));
    TRY(reader_u16(&r, &flags));
    TRY(reader_u64(&r, &m.id));
    m.body = r.rest;
    m.is_question = (flags & FLAG_QUESTION) != 0;
    if ((flags & FLAG_ANSWER) != 0)
        answered(c, &m);
    else
        c->handlers.message(c->handlers.ctx, c, &m);
    return OK;
}

static void read_all(Channel *c)
{
    for (int i = 0; i < READ_BATCH && c->fd >= 0 && !c->freed; i++) {
        int fd;
        const ssize_t n = fd_pass_receive(c->fd, c->packet, PACKET_MAX, &fd);

        if (n < 0 && would_block())
            return;
        if (n <= 0 || dispatch(c, (Bytes){ c->packet, (size_t)n }, fd) != OK) {
            if (c->freed)
                return;
            detach(c);
            c->handlers.ended(c->handlers.ctx, c);
            return;
        }
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    Channel *c = poll->data;

    if (c == NULL)
        return;
    if (status == 0 && (events & UV_WRITABLE) != 0)
        send_waiting(c);
    c->handling = true;
    read_all(c);
    c->handling = false;
    if (c->freed) {
        free(c->packet);
        free(c);
    }
}

Err channel_pair(int ret_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds) == 0
               ? OK
               : ERR_IO;
}
