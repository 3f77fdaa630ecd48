/* What was done to one response: proves masking without storing what was masked. */
#ifndef MODEL_RECEIPT_H
#define MODEL_RECEIPT_H

#include "base/base.h"

typedef struct Receipt {
    uint64_t rows;
    uint64_t cells_masked; /* non-NULL cells that left changed */
    uint64_t bytes;        /* sent to the client for this response */
    Bytes tag;             /* the target's own word: "SELECT 3", or the SQLSTATE of its error */
    bool failed;           /* the target answered with an error */
} Receipt;

#endif
