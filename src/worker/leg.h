/* One side of a road as bytes: a socket, or TLS over it (`tls` not NULL). Never blocks. */
#ifndef WORKER_LEG_H
#define WORKER_LEG_H

#include "base/buf.h"
#include "sys/tls.h"

enum { LEG_READ_BYTES = 64 << 10 }; /* about this much of one side in one turn */

/* OK: some bytes, or none yet. ERR_IO: the other side is gone. ERR_LIMIT: `in` is full. */
Err leg_read(int fd, Tls *tls, Buf *in) MUST_CHECK;
/* False: the other side is gone. */
bool leg_write(int fd, Tls *tls, Bytes out, size_t *ret_sent);
/* What to poll for, when READABLE and WRITABLE in `events` are what the caller wants. */
int leg_events(const Tls *tls, int events);
/* In a handshake; `tls` NULL: the answer to an SSLRequest is due. */
int leg_handshake_events(const Tls *tls);
/* Something to read that poll() will not tell of? */
bool leg_has_pending(const Tls *tls);

#endif
