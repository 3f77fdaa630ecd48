/* One leg of a sign-in without sockets, and the shortest startup packet. */
#ifndef PG_LEG_H
#define PG_LEG_H

#include "base/text.h"
#include "proto/pg/pg_signin.h"
#include "proto/pg/pg_write.h"
#include "test.h"

#define V3 "\0\003\0\0"
#define B(s)                                                                                       \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }
#define V(s) ((Bytes)B(s))
#define USER V3 "user\0dana\0"

typedef struct Leg {
    Wire wire;
    Arena arena;
} Leg;

static inline void leg_init(Leg *l)
{
    *l = (Leg){ 0 };
    arena_init(&l->arena, 1 << 20);
    buf_init(&l->wire.from_client, 1 << 16);
    buf_init(&l->wire.to_client, 1 << 16);
    buf_init(&l->wire.from_server, 1 << 16);
    buf_init(&l->wire.to_server, 1 << 16);
}

static inline void leg_done(Leg *l)
{
    arena_done(&l->arena);
    buf_done(&l->wire.from_client);
    buf_done(&l->wire.to_client);
    buf_done(&l->wire.from_server);
    buf_done(&l->wire.to_server);
}

static inline void untagged(Buf *out, Bytes body)
{
    EXPECT(pg_message(out, 0, body) == OK);
}

static inline bool has(const Buf *b, Bytes text)
{
    return text_find(buf_view(b), text) < buf_len(b);
}

static inline void auth(Buf *out, uint8_t code, Bytes body)
{
    size_t mark;

    EXPECT(pg_open(out, 'R', &mark) == OK && buf_u32(out, code) == OK);
    EXPECT(buf_append(out, body) == OK);
    pg_close(out, mark);
}

#endif
