/* Text for manual pages, in the mdoc(7) language. */
#ifndef BASE_MDOC_H
#define BASE_MDOC_H

#include "base/buf.h"

/* Appends words as text lines: a line for each sentence, at most 78 characters where words allow;
 * nothing in them is read as a request or an escape. `quoted` words become bold. Ends with a
 * newline. ERR_LIMIT: out of room. */
Err mdoc_text(Buf *out, Bytes words) MUST_CHECK;
/* Appends one argument of a macro, in quotes, with a blank before it. */
Err mdoc_argument(Buf *out, Bytes words) MUST_CHECK;

#endif
