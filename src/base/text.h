/* Small questions about text, and formatted text into a Buf. Case means ASCII case. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

bool text_eq(Bytes a, Bytes b);
bool text_eq_nocase(Bytes a, Bytes b);
/* Order by bytes, then by length: <0, 0, >0. */
int text_compare(Bytes a, Bytes b);
bool text_starts(Bytes text, Bytes prefix);
bool text_has_nocase(Bytes text, Bytes needle);
/* Offset of the first occurrence of `needle`, or text.len when there is none. */
size_t text_find(Bytes text, Bytes needle);
/* A view of a NUL-terminated string; NULL gives an empty view. */
Bytes text_of(const char *s);
Bytes text_trim(Bytes text);
/* Decimal, digits only, no sign; ERR_MALFORMED otherwise, ERR_LIMIT above `max`. */
Err text_u64(Bytes text, uint64_t max, uint64_t *ret) MUST_CHECK;

/* printf into a Buf: "%.*s" with SHOW(bytes). At most 64 KiB a call. */
Err text_format(Buf *out, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

bool utf8_valid(Bytes text);
/* The longest prefix of at most `max` bytes that does not cut a character. */
Bytes utf8_upto(Bytes text, size_t max);

/* Equal in constant time, for secrets. Lengths are not secret. */
bool secret_eq(Bytes a, Bytes b);

#endif
