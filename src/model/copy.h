/* How COPY writes rows between client and target.
 *
 * https://www.postgresql.org/docs/15/sql-copy.html, "File Formats". Made by lang/, read by
 * proto/. Views live as long as the Meaning that it is part of. */
#ifndef MODEL_COPY_H
#define MODEL_COPY_H

#include "base/base.h"

typedef enum CopyFormat { COPY_TEXT = 0, COPY_CSV, COPY_BINARY } CopyFormat;

typedef struct CopyForm {
    CopyFormat format;
    uint8_t delimiter, quote, escape; /* quote, escape: CSV */
    bool header;                      /* the first line is not a row */
    bool quote_all;
    const Bytes *quoted; /* FORCE_QUOTE: names of columns */
    size_t quoted_count;
    Bytes null;            /* what stands for NULL; not in COPY_BINARY */
    const uint32_t *types; /* COPY FROM: of the columns, in their order; 0: not known */
    size_t type_count;
} CopyForm;

#endif
