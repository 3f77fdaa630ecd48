/* Text for a terminal: nothing in it can move the cursor, colour, or turn the reading order. */
#ifndef EVIDENCE_SCREEN_H
#define EVIDENCE_SCREEN_H

#include "base/buf.h"

/* Control and bidirectional characters come out as \u{202e}, bytes that are no UTF-8 as \xff. */
Err screen_text(Bytes text, Buf *out) MUST_CHECK;
/* The same; a line feed stays one. */
Err screen_lines(Bytes text, Buf *out) MUST_CHECK;
/* Characters, for the width of a column. */
size_t screen_width(Bytes text);

#endif
