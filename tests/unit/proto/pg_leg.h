/* One leg of a sign-in without sockets, and the shortest startup packet. */
#ifndef PG_LEG_H
#define PG_LEG_H

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

#endif
