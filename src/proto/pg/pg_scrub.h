/* Errors and notices of the server, without what may carry a value from the data.
 *
 * Measured: `invalid input syntax for type integer: "123-45-6789"`, `Key (ssn)=(…) already
 * exists.`, `Failing row contains (…)`. The primary text passes only where PostgreSQL's own
 * code speaks about the caller's own statement (classes 42, 0A, 25 …, and no context or
 * inner query); everything else becomes the condition's name. F, L, R and n never pass: what is
 * the gateway's own must not be imitated, and a text that names it begins with "server: ". */
#ifndef PROTO_PG_PG_SCRUB_H
#define PROTO_PG_PG_SCRUB_H

#include "base/buf.h"

/* `tag` 'E' or 'N'; `body` the message's. *ret_state is the SQLSTATE, a view into `body`. With
 * `phi` false texts pass, prefixed for notices. ERR_MALFORMED: not a field list. */
Err pg_scrub(uint8_t tag, Bytes body, bool phi, Buf *out, Bytes *ret_state) MUST_CHECK;

#endif
