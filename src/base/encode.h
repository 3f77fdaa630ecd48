/* Bytes as text and back: hex, base64 (RFC 4648 §4, padded) and Crockford's base32
 * (https://www.crockford.com/base32.html, lower case out, either case in). */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

Err hex_encode(Bytes from, Buf *out) MUST_CHECK; /* lower case */
Err hex_decode(Bytes text, Buf *out) MUST_CHECK;
Err base64_encode(Bytes from, Buf *out) MUST_CHECK;
/* Strict: padding required, no white space, unused bits zero. On error `out` may have grown. */
Err base64_decode(Bytes text, Buf *out) MUST_CHECK;
/* Writes exactly `chars` characters from the first 5 * chars bits of `from`. */
void base32_text(Bytes from, size_t chars, char *ret_text);
/* Upper case, whole input, last group padded with zero bits; for pseudonyms. */
Err base32_encode(Bytes from, Buf *out) MUST_CHECK;
Err base32_decode(Bytes text, Buf *out) MUST_CHECK;

#endif
