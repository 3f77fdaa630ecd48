/* The shape of every protocol: bytes in on two sides, bytes out on two sides.
 *
 * A Proto does no I/O, reads no clock and keeps no globals. All it knows is in its state;
 * all it can touch is the Wire and the ports it was given. The message a client() call
 * stopped at stays in its buffer until settle(): it is viewed again, never remembered
 * elsewhere, so a held command is simply one that nobody has settled yet. */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include "base/buf.h"
#include "model/command.h"
#include "model/mask.h"
#include "model/meaning.h"
#include "model/receipt.h"
#include "model/verdict.h"

typedef struct Wire {
    Buf from_client, to_server;
    Buf from_server, to_client;
} Wire;

typedef enum Step {
    STEP_IDLE,    /* nothing more to do with the bytes at hand */
    STEP_COMMAND, /* *ret_command awaits a ruling; nothing moves until settle() */
    STEP_END,     /* the client said goodbye */
} Step;

/* A text that was understood, shared by all who wait for its answers. The gate makes and
 * frees it; a protocol only keeps and drops. */
typedef struct Judged {
    size_t refs;
    Bytes text;
    const Meaning *meaning;
} Judged;

/* One column of a result as the target announced it. */
typedef struct WireColumn {
    Bytes name;
    ColumnRef column;
    uint32_t type_oid;
    int32_t typmod;
    bool binary;
} WireColumn;

/* Which statement of a text the rows belong to. */
typedef struct RowSource {
    const Judged *judged;
    uint32_t statement;
} RowSource;

/* What a protocol may ask of the gate. */
typedef struct ProtoPorts {
    void *ctx;
    void (*keep)(void *ctx, Judged *judged);
    void (*drop)(void *ctx, Judged *judged);
    /* Fills one mask for each column. ERR_REFUSED: text and wire disagree, or a column must
     * not leave. What the masks borrow lives as long as the session. */
    Err (*plan)(void *ctx, const RowSource *source, const WireColumn *columns, size_t count,
                ColumnMask *ret_masks);
    /* Appends what may leave in place of the value; *ret_null: it leaves as NULL.
     * ERR_REFUSED: there is no lawful mask for this type. */
    Err (*mask)(void *ctx, const Cell *cell, Buf *out, bool *ret_null);
    /* A response is complete. */
    void (*receipt)(void *ctx, const Receipt *receipt);
    /* Statement `source` completed on the target: what it set is in force. */
    void (*completed)(void *ctx, const RowSource *source);
    /* The target is ready again: in a transaction or not; what completed since it was last
     * ready was undone when `failed`. */
    void (*ready)(void *ctx, bool in_transaction, bool failed);
    /* Something to tell the client at the next good moment: true, and *ret_fault. */
    bool (*notice)(void *ctx, Fault *ret_fault);
    /* Data that follows a statement, about to go to the target: the record of it. */
    Err (*given)(void *ctx, Bytes data);
    /* Is it one of our own masks, which must not come back as data? */
    bool (*is_mask)(void *ctx, const Value *value);
} ProtoPorts;

/* The gateway answers in the target's place: SHOW chaperone.masked, SET chaperone.purpose. */
typedef struct LocalAnswer {
    Bytes tag; /* "SHOW", "SET" */
    bool has_row;
    Bytes column, value;
} LocalAnswer;

/* What became of the command at the front. */
typedef struct Settlement {
    const Verdict *verdict;
    Bytes decision; /* "d-…", for people */
    /* ALLOW: what was understood, rows are planned from it; then who answers, NULL: the target */
    Judged *judged;
    const LocalAnswer *local;
} Settlement;

typedef struct Proto {
    const char *name;
    Err (*client)(void *state, Wire *wire, Step *ret_step, Command *ret_command);
    Err (*settle)(void *state, Wire *wire, const Settlement *settlement);
    Err (*server)(void *state, Wire *wire);
    /* Text that was kept under a name earlier: EXECUTE, FETCH. False: unknown. */
    bool (*kept)(void *state, ReferKind kind, Bytes name, Bytes *ret_text);
    /* Rows that are streaming are not to go on: the answer ends with `fault`, however the target
     * ends it. *ret_stopped false: there are none. */
    Err (*stop)(void *state, Wire *wire, const Fault *fault, Bytes id, bool *ret_stopped);
    /* Does the target owe nothing? If it does, it is asked to hurry. */
    Err (*quiet)(void *state, Wire *wire, bool *ret_quiet);
    /* Tell the client something in passing (a notice), in its own protocol. */
    Err (*notify)(void *state, Wire *wire, const Fault *fault, Bytes id);
    /* Say why, in the client's protocol, and end: no more messages after it. */
    Err (*farewell)(void *state, Wire *wire, const Fault *fault, Bytes id);
} Proto;

#endif
