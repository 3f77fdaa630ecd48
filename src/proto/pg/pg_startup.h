/* The first packet of a connection: what it may be, and what it may ask for.
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html (StartupMessage,
 * CancelRequest, SSLRequest, GSSENCRequest), protocol-overview.html (versions). Startup parameters
 * are statements that run before any rule could see them: what is not on the list ends the
 * connection. */
#ifndef PROTO_PG_PG_STARTUP_H
#define PROTO_PG_PG_STARTUP_H

#include "base/arena.h"
#include "model/message.h"

typedef enum PgFirst {
    PG_FIRST_STARTUP,
    PG_FIRST_CANCEL,
    PG_FIRST_TLS,
    PG_FIRST_GSS,
} PgFirst;

/* Of protocol 3. 3.1 was never spoken by any server; who asks for it gets 3.0. */
typedef enum PgMinor {
    PG_MINOR_0 = 0,
    PG_MINOR_2 = 2, /* a cancel key may have up to PG_CANCEL_KEY_MAX bytes */
} PgMinor;

typedef struct PgSetting {
    Bytes name, value;
} PgSetting;

enum {
    PG_SETTINGS_MAX = 32,
    /* BackendKeyData, CancelRequest: 4 bytes in 3.0; 4 to 256 in 3.2, where ours have 32. */
    PG_CANCEL_KEY_3_0 = 4,
    PG_CANCEL_KEY_3_2 = 32,
    PG_CANCEL_KEY_MAX = 256,
};

typedef struct PgStartup {
    PgFirst kind;
    uint32_t cancel_pid;
    Bytes cancel_key;
    Bytes user, database;
    PgSetting *settings; /* for the server, checked; lists grow in the arena */
    size_t setting_count;
    PgSetting *own; /* chaperone.*, for us; names without the prefix */
    size_t own_count;
    bool before_3;  /* a client of protocol 1 or 2, whose errors have another shape */
    PgMinor minor;  /* to be spoken with the client */
    bool negotiate; /* another minor was asked for, or _pq_ options: NegotiateProtocolVersion */
    Bytes *unknown_options;
    size_t unknown_option_count;
} PgStartup;

/* `body` is a PG_UNTAGGED frame's. Views in *ret live in `body` or `arena`. Anything but OK
 * ends the connection; ERR_REFUSED fills *ret_fault for the client. */
Err pg_startup_read(Bytes body, Arena *arena, PgStartup *ret, Fault *ret_fault) MUST_CHECK;
/* chaperone.*: said by the gateway alone. */
bool pg_is_own_setting(Bytes name);

#endif
