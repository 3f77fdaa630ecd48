/* The real gate and codec between a client of bytes and the toy server, with a toy judge.
 *
 * The server sees what was sent only at kit_answer(), so that a whole pipeline can be ruled on
 * before its first answer. */
#ifndef PG_KIT_H
#define PG_KIT_H

#include "gate/gate.h"
#include "proto/pg/pg.h"
#include "toy_server.h"

/* What one side said at once. */
typedef struct Turn {
    bool server;
    size_t start, len; /* in Kit.recorded */
} Turn;

enum { KIT_TURNS = 256 };

typedef struct Kit {
    Gate gate;
    Pg pg;
    Arena arena;
    ToyServer server;
    size_t piece;  /* bytes come in pieces of this size; 0: as they are */
    bool scripted; /* no toy server: what is to come from it is said by kit_server() */
    Buf client;    /* all that the client got */
    Buf target;    /* all that the server got */
    bool records;
    Buf recorded;
    Buf given; /* data of COPY that was written down */
    Turn turns[KIT_TURNS];
    size_t turn_count;
    bool approved; /* a person said yes to what is held */
    bool stops;    /* rows that stream are stopped at once */
    size_t stopped;
    bool own_transaction; /* as the ready port was told */
    bool last_failed;
    size_t alive; /* Judged that exist */
    size_t asked, receipts, completed, readies, prepared, ran;
    Receipt last;
    uint8_t last_tag[64];
    LocalAnswer local;
} Kit;

void kit_init(Kit *k);
void kit_done(Kit *k); /* EXPECTs that nothing is kept any more */
/* Bytes from the client, ruled on. */
Err kit_client(Kit *k, Bytes bytes);
/* Bytes from a server that is not the toy. */
Err kit_server(Kit *k, Bytes bytes);
/* The toy server answers all it was sent. */
Err kit_answer(Kit *k);

/* Client messages, appended to `out`. */

/* A whole talk as text, steps with bars between:
 *
 *     Q text    P name,text    B portal,name (b: binary)    DS name    DP portal
 *     E portal,limit    CS name    CP portal    S    H    F (FunctionCall)    X
 *     d data    c (CopyDone)    f (CopyFail)
 *     !         the server answers all it has been sent
 *     yes, no   a person answers */
Err kit_script(Kit *k, const char *script);
/* One step that is a client message. */
void say_step(Buf *out, Bytes step);

/* "ParseComplete BindComplete …" as one letter a message, Z with its status, E and N with their
 * SQLSTATE: "12TDC Zi" is written "1 2 T D C ZI". */
void kit_summary(Bytes stream, Buf *out);

#endif
