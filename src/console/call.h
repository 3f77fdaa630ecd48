/* One call as it came over the socket: strict JSON, bounded. */
#ifndef CONSOLE_CALL_H
#define CONSOLE_CALL_H

#include "model/ask.h"

enum { CALL_MAX = 1 << 20 };

/* Appends an AdminCall with this number. ERR_MALFORMED: not a call. ERR_LIMIT: too large to be
 * passed on. */
Err call_pack(Bytes json, uint64_t number, Buf *out) MUST_CHECK;

/* Before the sandbox: jansson would open /dev/urandom for its hash at the first object. */
void call_prepare(void);

#endif
