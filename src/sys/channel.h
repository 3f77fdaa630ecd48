/* Questions and answers between two of our processes, over SOCK_SEQPACKET.
 *
 *     message = kind u16 | flags u16 | id u64 | body        one packet, at most 128 KiB
 *
 * A question is kept until it is answered: when the other side was restarted,
 * channel_replace() asks all open ones again under the same ids. Sends never block: what the
 * kernel does not take waits in a bounded queue. A descriptor may travel with a message; it
 * belongs to the receiver, who closes it. */
#ifndef SYS_CHANNEL_H
#define SYS_CHANNEL_H

#include "base/buf.h"
#include "sys/loop.h"

typedef struct Channel Channel;

typedef struct ChannelMessage {
    uint16_t kind;
    uint64_t id;
    bool is_question; /* expects channel_reply() with this id */
    Bytes body;       /* dies when the handler returns */
    int fd;           /* -1: none; the handler owns it */
} ChannelMessage;

/* An answer to channel_ask(); `m` NULL: the channel ended and will not come back. */
typedef void ChannelAnswer(void *ctx, const ChannelMessage *m);

typedef struct ChannelHandlers {
    void *ctx;
    void (*message)(void *ctx, Channel *channel, const ChannelMessage *m);
    void (*ended)(void *ctx, Channel *channel); /* the other side is gone */
} ChannelHandlers;

/* Takes `fd`. The channel is freed by channel_free(), never by itself. */
Err channel_new(uv_loop_t *loop, int fd, const ChannelHandlers *handlers, Channel **ret) MUST_CHECK;
void channel_free(Channel *c); /* open questions are answered with NULL */
/* A new way to the same peer: open questions are asked again. */
Err channel_replace(Channel *c, int fd) MUST_CHECK;
bool channel_is_open(const Channel *c);
/* The last send met a closed end. `ended` is called when all that was said before is read. */
bool channel_is_left(const Channel *c);

/* `fd` -1: none; it is duplicated by the kernel in flight and stays the caller's. */
Err channel_ask(Channel *c, uint16_t kind, Bytes body, ChannelAnswer *answer, void *ctx) MUST_CHECK;
Err channel_tell(Channel *c, uint16_t kind, Bytes body, int fd) MUST_CHECK;
Err channel_reply(Channel *c, const ChannelMessage *to, Bytes body, int fd) MUST_CHECK;
/* Later, when only the id was kept. */
Err channel_reply_to(Channel *c, uint16_t kind, uint64_t id, Bytes body, int fd) MUST_CHECK;
/* Nobody waits any more: answers for this `ctx` are dropped. */
void channel_forget(Channel *c, const void *ctx);

/* A pair of connected ends, non-blocking, close-on-exec. */
Err channel_pair(int ret_fds[2]) MUST_CHECK;

#endif
