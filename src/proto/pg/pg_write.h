/* PostgreSQL messages out, one function a message we make ourselves.
 *
 * https://www.postgresql.org/docs/15/protocol-message-formats.html */
#ifndef PROTO_PG_PG_WRITE_H
#define PROTO_PG_PG_WRITE_H

#include "base/buf.h"
#include "model/message.h"

/* Opens a message; *ret_mark is what pg_close() needs to fill in the length. */
Err pg_open(Buf *out, uint8_t tag, size_t *ret_mark) MUST_CHECK;
void pg_close(Buf *out, size_t mark);
/* A whole message whose body is at hand. */
Err pg_message(Buf *out, uint8_t tag, Bytes body) MUST_CHECK;
/* `text` and a NUL. ERR_MALFORMED when there is a NUL inside. */
Err pg_string(Buf *out, Bytes text) MUST_CHECK;

/* ErrorResponse or NoticeResponse, by the fault's severity. `id`: "d-…", may be empty. */
Err pg_fault(Buf *out, const Fault *fault, Bytes id) MUST_CHECK;
/* ErrorResponse for a client of protocol 1 or 2, which knows no fields and no lengths. */
Err pg_fault_before_3(Buf *out, const Fault *fault) MUST_CHECK;
Err pg_ready(Buf *out, uint8_t status) MUST_CHECK;
Err pg_parameter(Buf *out, Bytes name, Bytes value) MUST_CHECK;
/* RowDescription with text columns of unknown origin; then a DataRow of the same. */
Err pg_text_columns(Buf *out, const Bytes *names, size_t count) MUST_CHECK;
Err pg_text_row(Buf *out, const Bytes *values, size_t count) MUST_CHECK;
Err pg_complete(Buf *out, Bytes tag) MUST_CHECK;
/* Query, and Parse of a named statement without parameters, towards the server. */
Err pg_query(Buf *out, Bytes text) MUST_CHECK;
Err pg_parse(Buf *out, Bytes name, Bytes text) MUST_CHECK;
/* Bind: `parameters` as they stand in another Bind, from their formats on; all results in one
 * format. */
Err pg_bind(Buf *out, Bytes portal, Bytes statement, Bytes parameters, bool binary) MUST_CHECK;
Err pg_describe_portal(Buf *out, Bytes portal) MUST_CHECK;
Err pg_execute(Buf *out, Bytes portal) MUST_CHECK; /* to its end */

#endif
