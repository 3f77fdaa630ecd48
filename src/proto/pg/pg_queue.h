/* What the server still owes us: one entry for each message that it will answer.
 *
 *     client ──▶ message ──▶ entry at the tail        head entry ◀── answer ◀── server
 *
 * Pipelining makes this the only place that knows which answer belongs to which message.
 * An entry is popped by its last answer; an error drops all entries up to the next Sync,
 * as the server discards their messages. LOCAL entries are ours: the server never sees
 * them, and their reply is sent when they reach the head, so that order is kept. */
#ifndef PROTO_PG_PG_QUEUE_H
#define PROTO_PG_PG_QUEUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "proto/proto.h"

typedef enum PgExpect {
    EXPECT_QUERY,              /* … then Z */
    EXPECT_PARSE,              /* 1 */
    EXPECT_BIND,               /* 2 */
    EXPECT_DESCRIBE_STATEMENT, /* t, then T or n */
    EXPECT_DESCRIBE_PORTAL,    /* T or n */
    EXPECT_EXECUTE,            /* D …, then C, I or s */
    EXPECT_CLOSE,              /* 3 */
    EXPECT_SYNC,               /* Z */
    EXPECT_LOCAL,              /* nothing */
    EXPECT_COUNT,
} PgExpect;

typedef struct PgShapeColumn {
    ColumnMask mask;
    uint32_t type_oid;
    int32_t typmod;
    bool binary;
    bool quoted; /* COPY: FORCE_QUOTE */
} PgShapeColumn;

/* One bound portal's life, or one Query's: who is running, and what its rows look like. */
typedef struct PgRun {
    size_t refs;
    struct PgRun *next_free;
    Judged *judged;
    uint32_t statement;    /* Query: which of the batch is answering */
    uint64_t described_at; /* Pg.runs + 1 when a Describe of this portal was last sent; 0: never */
    bool started;          /* an Execute was sent */
    bool has_shape;        /* a RowDescription of this very portal came */
    bool from_wire;        /* made by Bind, not by DECLARE */
    bool holds;            /* DECLARE … WITH HOLD: outlives its transaction, if that commits */
    bool kept;             /* its transaction has committed */
    size_t named_bytes;    /* of its text, counted in PgNames.text_bytes */
    uint64_t bound_at;     /* queue sequence number of its Bind or DECLARE */
    Buf shape;             /* PgShapeColumn each */
    Buf kept_text;         /* of a cursor made by DECLARE; of a PARSE with on_success */
    bool local;            /* the gateway answers */
    bool local_row;
    Buf local_tag, local_column, local_value;
    const CopyForm *copy;  /* COPY TO the client: its rows leave in this form */
    const CopyForm *takes; /* COPY FROM the client: the form of its data */
    bool copying;          /* CopyOutResponse was sent */
    Buf copy_head;         /* what is still to be sent before its first row */
    Receipt receipt;
} PgRun;

typedef struct PgAwaited {
    PgExpect expect;
    uint64_t seq;
    bool swallow;       /* we asked, not the client: its answer stays here */
    bool stand_in;      /* a message that must fail stands for a refused one */
    bool changes_names; /* prepared statements or cursors may change when it completes */
    bool on_success;    /* PARSE, BIND of a name that existed: the name is given when it succeeds */
    bool ready;         /* LOCAL: ReadyForQuery follows the reply */
    bool failed;        /* its error has come: only ReadyForQuery may follow */
    bool copies;        /* DESCRIBE_STATEMENT of a COPY: it has no columns */
    size_t text_bytes;  /* of what it runs, counted in PgQueue.text_bytes */
    PgRun *run;         /* kept; may be NULL */
    /* LOCAL: messages; stand_in: the error in place of the server's; PARSE with on_success:
     * the parameter types (its text is the run's kept_text) */
    Buf reply;
    Buf name;           /* PARSE, BIND, CLOSE: of the statement or portal */
    uint8_t close_kind; /* CLOSE: 'S' or 'P' */
} PgAwaited;

enum {
    PG_QUEUE_MAX = 1024,
    PG_QUEUE_TEXT_MAX = 4 << 20, /* of texts in flight: each may be understood anew */
};

typedef struct PgQueue {
    PgAwaited *ring;
    size_t head, count, cap;
    uint64_t next_seq;
    size_t changing_names; /* entries with changes_names */
    size_t text_bytes;     /* of what is in flight */
    PgRun *free_runs;
    Arena *arena;
    const ProtoPorts *ports;
} PgQueue;

void pg_queue_init(PgQueue *q, Arena *arena, const ProtoPorts *ports);
void pg_queue_rest(PgQueue *q); /* what is kept for the next run goes too */
void pg_queue_done(PgQueue *q); /* drops what entries keep; after whoever else keeps runs */
/* *ret is valid until the next push. ERR_LIMIT: full. */
Err pg_queue_push(PgQueue *q, PgExpect expect, PgRun *run, PgAwaited **ret) MUST_CHECK;
PgAwaited *pg_queue_head(const PgQueue *q);             /* NULL: nothing is owed */
PgAwaited *pg_queue_at(const PgQueue *q, size_t index); /* 0: the head */
void pg_queue_pop(PgQueue *q);
/* Names may change when it completes: nothing is looked up before. */
void pg_queue_changes_names(PgQueue *q, PgAwaited *entry);

/* A fresh run with one reference; keeps `judged`, which may be NULL. */
Err pg_run_new(PgQueue *q, Judged *judged, PgRun **ret) MUST_CHECK;
/* The text it runs: a cursor's own, or what was judged. */
Bytes pg_run_text(const PgRun *run);
/* From now on its rows are planned from `judged`. */
void pg_run_judge(PgQueue *q, PgRun *run, Judged *judged);
void pg_run_keep(PgRun *run);
void pg_run_drop(PgQueue *q, PgRun *run); /* NULL is fine */

#endif
