/* PostgreSQL's road, from the first ReadyForQuery on: the Proto that the gate drives.
 *
 * Sign-in on both legs is pg_signin.h and pg_upstream.h. Owns names and the queue of what
 * the server owes; allocates from the session's arena. */
#ifndef PROTO_PG_PG_H
#define PROTO_PG_PG_H

#include "proto/pg/pg_copy_read.h"
#include "proto/pg/pg_names.h"
#include "proto/pg/pg_queue.h"
#include "proto/proto.h"

/* Client side: what may be said now. */
typedef enum PgPhase {
    PG_TALKING,       /* any message of the table */
    PG_SKIPPING,      /* after an error in the extended protocol: nothing until Sync */
    PG_COPY_STARTING, /* COPY FROM was sent: nothing is read before its answer */
    PG_COPYING,       /* its data, until CopyDone or CopyFail */
    PG_ENDED,         /* an error, or farewell was said: nothing more is read */
    PG_PHASE_COUNT,
} PgPhase;

/* Is a result kept from the client, and until when? See pg_withhold.h. */
typedef enum PgWithheld {
    WITHHELD_NOTHING,
    WITHHELD_TO_READY,    /* until the next ReadyForQuery */
    WITHHELD_TO_STAND_IN, /* until the error of a message that must fail */
} PgWithheld;

/* How long does what was done since the last ReadyForQuery last? */
typedef enum PgLasting { LASTS_NOT, LASTS_UNTIL_ROLLBACK, LASTS } PgLasting;

typedef struct Pg {
    PgPhase phase;
    uint8_t status;     /* 'I', 'T', 'E': of the last ReadyForQuery that reached the client */
    bool flush_sent;    /* we asked the server to hurry, and it has not answered all yet */
    bool unsynced;      /* something was sent since the last Sync or Query */
    bool path_open;     /* a search_path was set and may yet be undone: only Sync may follow */
    bool rolled_back;   /* the last COMMIT or ROLLBACK was a ROLLBACK */
    uint64_t synced_at; /* queue sequence number of the last Sync or Query */
    uint64_t ready_at;  /* of the last one that is answered */
    uint64_t runs;      /* Executes and Queries sent */
    size_t pending;     /* size of the message that awaits settle(); 0: none */
    PgQueue queue;
    PgNames names;
    ProtoPorts ports;
    Buf values, formats;           /* scratch of the Bind at the front */
    Bytes portal, statement, text; /* in the message at the front; die with it */
    size_t result_formats;         /* of the Bind at the front */
    uint8_t tag;
    uint32_t execute_limit;
    PgWithheld withheld;
    const Fault *why; /* the last one was withheld; NULL: none was */
    Bytes why_id;     /* "d-…", or empty */
    Fault stopped;    /* why, of what was stopped; its texts and the id are in `words` */
    Buf words;
    PgCopyRead copy_read;
    Buf given; /* COPYING: data that is forwarded and not in the record yet */
    Buf row;   /* of a COPY, masked, before it is written in its form */
    PgLasting lasting;
    size_t row_rest;                /* bytes still to come of a row that is dropped unread */
    bool failed;                    /* an error came since the last ReadyForQuery */
    bool phi;                       /* the target holds PHI: errors and notices are scrubbed */
    uint32_t server_pid, shown_pid; /* of its backend, and what the client was told instead */
} Pg;

void pg_init(Pg *pg, Arena *arena, const ProtoPorts *ports, SipKey hash_key);
void pg_rest(Pg *pg); /* gives back scratch that holds nothing */
void pg_done(Pg *pg);

extern const Proto PG_PROTO;

/* Parts of the table; state is a Pg. */
Err pg_client(void *state, Wire *wire, Step *ret_step, Command *ret_command) MUST_CHECK;
Err pg_settle(void *state, Wire *wire, const Settlement *settlement) MUST_CHECK;
Err pg_server(void *state, Wire *wire) MUST_CHECK;

Err pg_stop(void *state, Wire *wire, const Fault *fault, Bytes id, bool *ret_stopped) MUST_CHECK;

/* Shared between the two sides. */
typedef struct PgMark {
    size_t to_server, to_client;
} PgMark;

PgMark pg_mark(const Wire *wire);
/* Errors are final: half a message that was written since `mark` is taken back, and no more is
 * read or written. */
void pg_fail(Pg *pg, Wire *wire, PgMark mark);
Err pg_forward(Wire *wire, size_t size) MUST_CHECK; /* the message at the front, verbatim */
/* Nothing is owed by the server, or it was asked to hurry. */
Err pg_quiet(void *state, Wire *wire, bool *ret_quiet) MUST_CHECK;
/* An entry for a message that is being sent. */
Err pg_push(Pg *pg, PgExpect expect, PgRun *run, PgAwaited **ret) MUST_CHECK;
/* Would running it make, replace or end prepared statements or cursors, or change what
 * names mean (search_path)? */
bool pg_changes_names(const Meaning *meaning);
bool pg_changes_path(const Meaning *meaning);
/* The Execute at the front, once more ruled on; its rows are planned from `judged`. */
Err pg_execute_again(Pg *pg, Wire *wire, Judged *judged) MUST_CHECK;
/* A message that must fail goes to the server; its error is replaced by the fault. */
Err pg_stand_in(Pg *pg, Wire *wire, bool simple, const Fault *fault, Bytes id) MUST_CHECK;
/* Sends replies of LOCAL entries that have reached the head. */
Err pg_emit_locals(Pg *pg, Wire *wire) MUST_CHECK;

#endif
