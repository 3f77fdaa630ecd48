/* The one road through the gateway. Read gate.c first.
 *
 * Knows no concrete protocol, language, store or clock. Whatever it needs of the world is a
 * port; whatever leaves stays in the wire's out-buffers until the turn's records are
 * written (the worker sends, never the gate). */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "proto/proto.h"

typedef enum GateWait {
    GATE_RUNS = 0,
    GATE_WAITS_CATALOGUE, /* the command at the front names what the snapshot lacks */
    GATE_WAITS_PERSON,    /* the command at the front is held */
    GATE_ENDED,           /* the client said goodbye */
} GateWait;

/* What was ruled on the command at the front. */
typedef struct GateRuling {
    Verdict verdict;
    Judged *judged;           /* kept for the caller, who drops it; NULL when not understood */
    const LocalAnswer *local; /* NULL: the target answers */
    Bytes decision;           /* "d-…" */
    bool needs_quiet;         /* only once all that was sent before has been answered */
} GateRuling;

typedef struct GatePorts {
    void *ctx;
    /* ERR_MORE: the catalogue must be read first; nothing was decided. */
    Err (*judge)(void *ctx, const Command *command, GateRuling *ret);
    void (*drop)(void *ctx, Judged *judged);
    /* The record of command and ruling; durable before anything of this turn leaves. */
    Err (*write_command)(void *ctx, const Command *command, const GateRuling *ruling);
    /* What the client is about to see. */
    Err (*write_output)(void *ctx, Bytes bytes);
    /* Put the held command before a person; gate_person_ruled() brings the answer. */
    Err (*ask)(void *ctx, const Command *command, const GateRuling *ruling);
} GatePorts;

typedef struct Gate {
    const Proto *proto;
    void *proto_state;
    GatePorts ports;
    Wire wire;
    GateWait wait;
    size_t written; /* bytes of wire.to_client that are in the record */
} Gate;

Err gate_client_spoke(Gate *g) MUST_CHECK;
Err gate_server_spoke(Gate *g) MUST_CHECK;
/* The catalogue was read, or a person said yes: the command at the front is ruled on again. */
Err gate_resume(Gate *g) MUST_CHECK;
/* A person said no, or nobody answered, or the request was withdrawn. */
Err gate_refuse_held(Gate *g, const Fault *fault, Bytes decision) MUST_CHECK;
/* Last thing in a turn: the record of what is about to leave towards the client. */
Err gate_write_down_output(Gate *g) MUST_CHECK;
/* Rows are streaming that may not go on: what still comes of them is dropped, and `fault` ends the
 * answer; whoever calls has the target cancel it. *ret_stopped false: no rows are streaming. */
Err gate_stop(Gate *g, const Fault *fault, Bytes decision, bool *ret_stopped) MUST_CHECK;
/* `len` bytes have left towards the client. */
void gate_client_took(Gate *g, size_t len);

#endif
