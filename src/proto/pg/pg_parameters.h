/* What a server tells of itself in ParameterStatus messages, before there is a connection for the
 * session at hand: as another connection there was told it, with this client's startup settings
 * applied as PostgreSQL would. A guess that turns out wrong is corrected at the first statement. */
#ifndef PROTO_PG_PG_PARAMETERS_H
#define PROTO_PG_PG_PARAMETERS_H

#include "base/buf.h"
#include "proto/pg/pg_startup.h"

/* Behind a client's sign-in, while there is no connection to the target. */
typedef enum PgOpening {
    OPENING_NOTHING, /* no message yet */
    OPENING_GOODBYE,
    OPENING_WORK, /* for the target, or for the rules that only know it */
} PgOpening;

/* ERR_MALFORMED: no message of this phase. */
Err pg_opening(Bytes from_client, PgOpening *ret) MUST_CHECK;

/* `messages`: ParameterStatus messages, one a name. Puts in one more, in place of an older one.
 * ERR_MALFORMED: it is none. */
Err pg_parameters_put(Buf *messages, Bytes message) MUST_CHECK;
/* Appends them as the session's own connection will most likely tell them. `application`: the
 * application_name that it will have. */
Err pg_parameters_foretell(Bytes messages, const PgStartup *startup, Bytes application,
                           Buf *out) MUST_CHECK;
/* Appends those of `now` that `told` lacks or has otherwise. */
Err pg_parameters_changed(Bytes told, Bytes now, Buf *out) MUST_CHECK;

#endif
