/* The gateway's way into the target: startup packet, SCRAM-SHA-256 with the keeper's proof, and
 * what the server tells about itself up to its first ReadyForQuery; then what it is (pg_backend.h).
 *
 * SCRAM is answered; MD5 only where the configuration allows it, and a password in clear never.
 * Over TLS the proof is bound to the server's certificate whenever the server offers it; when it
 * does not, it is told that we could ("y"), so that nobody in between can have taken the offer
 * away. */
#ifndef PROTO_PG_PG_UPSTREAM_H
#define PROTO_PG_PG_UPSTREAM_H

#include "crypto/hash.h"
#include "proto/pg/pg_backend.h"
#include "proto/pg/pg_startup.h"
#include "proto/proto.h"

typedef enum PgUpstreamOrder {
    UPSTREAM_WAIT,
    UPSTREAM_PROVE, /* ask the keeper: client_first_bare, server_first → client-final */
    UPSTREAM_MD5,   /* ask the keeper: md5_salt → its answer */
    UPSTREAM_READY,
} PgUpstreamOrder;

typedef enum PgUpstreamPhase {
    UPSTREAM_AT_START,
    UPSTREAM_AT_CONTINUE,
    UPSTREAM_AT_KEEPER,
    UPSTREAM_AT_FINAL,
    UPSTREAM_AT_OK,
    UPSTREAM_AT_READY,
    UPSTREAM_AT_BACKEND,  /* signed in; what server it is was asked */
    UPSTREAM_AT_SETTINGS, /* behind a pooler: what a startup packet cannot say there */
    UPSTREAM_AT_CHECK,    /* and is it the same backend still? */
    UPSTREAM_DONE,
} PgUpstreamPhase;

typedef struct PgUpstream {
    PgUpstreamPhase phase;
    Arena *arena;
    Bytes client_first_bare, server_first;
    Bytes gs2_header; /* chosen once the server said what it offers */
    Bytes binding;    /* its certificate's hash while bound, else empty */
    Hash server_signature;
    uint32_t pid; /* of the target's backend, for CancelRequest */
    Bytes key;
    Buf parameters; /* ParameterStatus messages, to be shown to the client */
    Bytes version;  /* server_version */
    bool md5_allowed;
    Bytes md5_salt;
    const char *why; /* ERR_REFUSED because of what it asks for; NULL: it refused us */
    Bytes refused;   /* SQLSTATE of its refusal */
    PgBackend backend;
    bool described; /* `backend` was told */
    bool pooled;
    Bytes mark;     /* what PG_BACKEND_MARK is set to, behind a pooler */
    PgBackend now;  /* after the settings */
    Bytes settings; /* the query that sets it, and what else is wanted */
} PgUpstream;

typedef struct PgUpstreamStart {
    Bytes user, database, application;
    const PgSetting *settings;
    size_t setting_count;
    Bytes nonce;   /* base64, at least 24 characters */
    bool pooled;   /* a pooler in session mode may stand before it */
    Bytes binding; /* tls-server-end-point of the target; empty: no TLS, or none for it */
    bool md5_allowed;
} PgUpstreamStart;

#define PG_NOT_ONE_SESSION                                                                         \
    "the pooler before it hands a connection to somebody else between two transactions, or does "  \
    "not reset it: only session mode can be used"
/* The backend that signed in? */
bool pg_upstream_is_same(const PgUpstream *u, const PgBackend *now);
/* Writes the startup packet. */
Err pg_upstream_init(PgUpstream *u, Arena *arena, const PgUpstreamStart *start,
                     Wire *wire) MUST_CHECK;
void pg_upstream_done(PgUpstream *u);
/* ERR_REFUSED: the server said no (u->refused), or asks for what we do not give. */
Err pg_upstream_spoke(PgUpstream *u, Wire *wire, PgUpstreamOrder *ret_order) MUST_CHECK;
Err pg_upstream_proved(PgUpstream *u, Wire *wire, Bytes client_final,
                       const Hash *server_signature) MUST_CHECK;
Err pg_upstream_md5(PgUpstream *u, Wire *wire, Bytes answer) MUST_CHECK;
/* 16 bytes for a fresh connection to the same target. */
Err pg_upstream_cancel(const PgUpstream *u, Buf *out) MUST_CHECK;

#endif
