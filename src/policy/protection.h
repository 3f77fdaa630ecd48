/* Which column may leave how, for one (policy, profile, resource, schema snapshot).
 *
 * Made whenever one of the four changes, read for every column of every RowDescription.
 * Rules, in this order:
 *
 *   1. a system relation is clear, unless `sensitive` names it: then it is withheld whole
 *   2. the first masking rule that names the column, by pattern or class, decides
 *   3. on a PHI resource a column that no rule names is unclassified: bool, int2, int4, int8,
 *      float4, float8, numeric and oid pass, anything else is MASK_NULL with `unclassified`
 *   4. elsewhere it is clear
 *   5. parents and children (inheritance, partitions) share: a column that no rule names takes
 *      its parent's mask, and of two masks set by rules the stronger holds for both
 *   6. a view's column is never weaker than the one it shows; a computed one is MASK_NULL with
 *      `unclassified` when its view reads anything masked (or runs code, on a PHI resource);
 *      a rule may make it redact or null, nothing less
 *   7. sticky: a column that was masked in `previous` and would now be weaker stays as it was
 *
 * A mask that the column's type cannot carry (pseudonym of a date) is MASK_NULL. */
#ifndef POLICY_PROTECTION_H
#define POLICY_PROTECTION_H

#include "base/arena.h"
#include "model/mask.h"
#include "model/schema.h"
#include "policy/policy.h"

typedef struct Protection Protection;

typedef struct ProtectionInput {
    const MaskingProfile *profile; /* NULL: no rule at all */
    const Resource *resource;
    const Schema *schema;
    /* Of the same policy and an older schema; NULL at start and after the policy changed. */
    const Protection *previous;
    /* Does this system relation hold values of user tables? NULL: none does. */
    bool (*sensitive)(Bytes schema, Bytes name);
} ProtectionInput;

/* Views borrow from `arena`, the profile and the schema; `previous` may go. */
Err protection_make(const ProtectionInput *in, Arena *arena, const Protection **ret) MUST_CHECK;

/* MASK_WITHHOLD for what is not known; system columns (attnum < 0) of known relations that are
 * not withheld are clear. attnum 0 is a question for protection_of_row(). */
ColumnMask protection_of(const Protection *p, ColumnRef column);
/* The first column of `oid` in attnum order that is not clear; false: all are. An unknown
 * relation gives attnum 0 with MASK_WITHHOLD. */
bool protection_of_row(const Protection *p, uint32_t oid, ColumnRef *ret_column,
                       ColumnMask *ret_mask);
/* Is there any column outside the system's own relations that does not leave in clear? */
bool protection_any(const Protection *p);
/* Rule 7's columns, for `status`. */
size_t protection_sticky(const Protection *p, const ColumnRef **ret_columns);
/* 0 for CLEAR, more for masks that show less. */
unsigned mask_strength(MaskMethod method);

#endif
