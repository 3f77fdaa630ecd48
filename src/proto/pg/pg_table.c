#include "proto/pg/pg_table.h"

static const uint8_t CLIENT[PG_PHASE_COUNT][128] = {
    [PG_TALKING] = {
        ['Q'] = CLIENT_QUERY,
        ['P'] = CLIENT_PARSE,
        ['B'] = CLIENT_BIND,
        ['D'] = CLIENT_DESCRIBE,
        ['E'] = CLIENT_EXECUTE,
        ['C'] = CLIENT_CLOSE,
        ['S'] = CLIENT_SYNC,
        ['H'] = CLIENT_FLUSH,
        ['X'] = CLIENT_TERMINATE,
        ['F'] = CLIENT_CALL,
        /* COPY data after a COPY that failed: "the backend will … discard" (protocol-flow). */
        ['d'] = CLIENT_DROP,
        ['c'] = CLIENT_DROP,
        ['f'] = CLIENT_DROP,
    },
    [PG_SKIPPING] = {
        ['Q'] = CLIENT_DROP,
        ['P'] = CLIENT_DROP,
        ['B'] = CLIENT_DROP,
        ['D'] = CLIENT_DROP,
        ['E'] = CLIENT_DROP,
        ['C'] = CLIENT_DROP,
        ['H'] = CLIENT_DROP,
        ['F'] = CLIENT_DROP,
        ['d'] = CLIENT_DROP,
        ['c'] = CLIENT_DROP,
        ['f'] = CLIENT_DROP,
        ['S'] = CLIENT_SYNC,
        ['X'] = CLIENT_TERMINATE,
    },
    [PG_COPYING] = {
        ['d'] = CLIENT_COPY_DATA,
        ['c'] = CLIENT_COPY_END,
        ['f'] = CLIENT_COPY_END,
        /* "Ignore Flush/Sync for the convenience of client libraries" (copyfromparse.c). */
        ['H'] = CLIENT_DROP,
        ['S'] = CLIENT_DROP,
        ['X'] = CLIENT_TERMINATE,
    },
};

/* COPY answers but CopyInResponse (H, W, d, c), FunctionCallResponse (V) and all sign-in messages
 * are in no row: a target that sends one is not doing what was asked. */
static const uint8_t SERVER[EXPECT_COUNT][128] = {
    [EXPECT_QUERY] = {
        ['T'] = SERVER_SHAPE,
        ['D'] = SERVER_ROW,
        ['C'] = SERVER_COMPLETE,
        ['I'] = SERVER_COMPLETE,
        ['G'] = SERVER_COPY_IN,
        ['E'] = SERVER_ERROR,
        ['Z'] = SERVER_READY,
    },
    [EXPECT_PARSE] = { ['1'] = SERVER_DONE, ['E'] = SERVER_ERROR },
    [EXPECT_BIND] = { ['2'] = SERVER_DONE, ['E'] = SERVER_ERROR },
    [EXPECT_DESCRIBE_STATEMENT] = {
        ['t'] = SERVER_STEP,
        ['T'] = SERVER_SHAPE,
        ['n'] = SERVER_DONE,
        ['E'] = SERVER_ERROR,
    },
    [EXPECT_DESCRIBE_PORTAL] = {
        ['T'] = SERVER_SHAPE,
        ['n'] = SERVER_DONE,
        ['E'] = SERVER_ERROR,
    },
    [EXPECT_EXECUTE] = {
        ['D'] = SERVER_ROW,
        ['C'] = SERVER_COMPLETE,
        ['I'] = SERVER_COMPLETE,
        ['s'] = SERVER_COMPLETE,
        ['G'] = SERVER_COPY_IN,
        ['E'] = SERVER_ERROR,
    },
    [EXPECT_CLOSE] = { ['3'] = SERVER_DONE, ['E'] = SERVER_ERROR },
    [EXPECT_SYNC] = { ['Z'] = SERVER_READY, ['E'] = SERVER_ERROR },
};

PgClientAct pg_client_act(PgPhase phase, uint8_t tag)
{
    return tag < 128 ? (PgClientAct)CLIENT[phase][tag] : CLIENT_VIOLATION;
}

PgServerAct pg_server_act(PgExpect expect, uint8_t tag)
{
    return tag < 128 ? (PgServerAct)SERVER[expect][tag] : SERVER_VIOLATION;
}
