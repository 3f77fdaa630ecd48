/* What leaves in place of a protected value: typed, in text and in binary format.
 *
 * Values only; which column is protected is policy's business. No mask is a plausible value:
 * where a type has no lawful one, the cell leaves as NULL. Design: MASKING, "Transforms". */
#ifndef PHI_TRANSFORM_H
#define PHI_TRANSFORM_H

#include "base/buf.h"
#include "crypto/siv.h"
#include "model/mask.h"

/* The key of one pseudonym scope; equal values of a scope give equal pseudonyms. */
typedef struct PhiKey {
    Bytes scope;
    Siv siv;
} PhiKey;

typedef struct PhiKeys {
    PhiKey *keys;
    size_t count;
} PhiKeys;

/* Appends what may leave; *ret_null: nothing was appended, it leaves as NULL. ERR_REFUSED:
 * the cell must not leave at all (withheld, or its pseudonym key is not here).
 *
 * `this_year` tells which years imply an age over 89: they leave as one, 90 years ago (somebody
 * born in it may be 90 already), in text columns as "90+". */
Err phi_transform(PhiKeys *keys, const Cell *cell, int64_t this_year, Buf *out,
                  bool *ret_null) MUST_CHECK;

#endif
