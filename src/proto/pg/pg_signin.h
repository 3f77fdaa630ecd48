/* The client's way in: first packet, TLS or not, SCRAM-SHA-256 (-PLUS over TLS) with the keeper's
 * answers, AuthenticationOk.
 *
 * https://www.postgresql.org/docs/15/protocol-flow.html (Start-up), sasl-authentication.html.
 * Gives orders and never sees a socket: who carries one out calls the matching answer. */
#ifndef PROTO_PG_PG_SIGNIN_H
#define PROTO_PG_PG_SIGNIN_H

#include "crypto/hash.h"
#include "crypto/scram.h"
#include "proto/pg/pg_startup.h"
#include "proto/proto.h"

typedef enum PgSigninOrder {
    SIGNIN_WAIT,   /* for more bytes */
    SIGNIN_BEGIN,  /* ask the keeper for server-first: startup.user, client_first_bare */
    SIGNIN_PROVE,  /* ask the keeper whether `proof` holds */
    SIGNIN_TLS,    /* once `S` has left, TLS begins; then pg_signin_secured() */
    SIGNIN_CANCEL, /* a CancelRequest: startup.cancel_pid, cancel_key; then close */
} PgSigninOrder;

typedef enum PgSigninPhase {
    SIGNIN_AT_START,
    SIGNIN_AT_TLS,
    SIGNIN_AT_FIRST,  /* SASLInitialResponse is due */
    SIGNIN_AT_FINAL,  /* SASLResponse is due */
    SIGNIN_AT_KEEPER, /* its answer is due; the client must be silent */
    SIGNIN_DONE,
} PgSigninPhase;

typedef enum PgTls {
    PG_TLS_NONE,     /* an SSLRequest is answered N */
    PG_TLS_OFFERED,  /* S */
    PG_TLS_REQUIRED, /* S, and nothing else is taken but a CancelRequest */
    PG_TLS_ACTIVE,
} PgTls;

typedef struct PgSignin {
    PgSigninPhase phase;
    PgTls tls;              /* set by who accepts */
    Bytes binding;          /* tls-server-end-point; empty: SCRAM-SHA-256-PLUS is not offered */
    bool bound;             /* the client bound its proof to it */
    unsigned first_packets; /* TLS and GSS requests before the startup packet */
    PgStartup startup;
    Bytes startup_packet, client_first_bare, gs2_header, server_first; /* in the arena */
    Bytes client_final_without_proof;
    Hash proof;
    Arena *arena;
} PgSignin;

void pg_signin_init(PgSignin *s, Arena *arena);
/* Anything but OK ends the connection; ERR_REFUSED after *ret_fault was filled. */
Err pg_signin_spoke(PgSignin *s, Wire *wire, PgSigninOrder *ret_order, Fault *ret_fault) MUST_CHECK;
/* The handshake is done: the startup packet comes next. */
void pg_signin_secured(PgSignin *s, Bytes binding);
Err pg_signin_begun(PgSignin *s, Wire *wire, Bytes server_first) MUST_CHECK;
/* The proof held. AuthenticationOk goes out too; parameters and ReadyForQuery are to follow. */
Err pg_signin_proved(PgSignin *s, Wire *wire, Bytes server_final) MUST_CHECK;

#endif
