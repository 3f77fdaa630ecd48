/* HTTP/1.1 as far as /metrics and two probes need it: a request's head in, a whole answer out.
 * RFC 9112 §2, §3, §9.3: one request a connection, no body is read. */
#ifndef CONSOLE_HTTP_H
#define CONSOLE_HTTP_H

#include "base/buf.h"

enum { HTTP_HEAD_MAX = 8 << 10, HTTP_ANSWER_MAX = 1 << 20 };

typedef struct HttpAsk {
    Bytes path; /* without the query; a view of what was read */
    bool is_head;
} HttpAsk;

/* ERR_MORE: the head is not whole yet. Otherwise *ret_status is 200, or what to answer: 400, 405,
 * 431 or 505. Bare line feeds end lines too (§2.2). */
Err http_read(Bytes in, HttpAsk *ret, unsigned *ret_status) MUST_CHECK;
/* Appends the answer; `Connection: close`. */
Err http_answer(Buf *out, unsigned status, bool is_head, Bytes body) MUST_CHECK;

#endif
