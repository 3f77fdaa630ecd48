/* What a column's name says about its values: a hint by whole words, never by substring.
 *
 * A name is split at `_`, other punctuation, camelCase and digits; abbreviations are spelt
 * out (nm, dt, no, addr, ph, pt …). "emission" is not "ssn", "file_name" is nobody's name. */
#ifndef POLICY_COLUMN_CLASS_H
#define POLICY_COLUMN_CLASS_H

#include "base/base.h"

/* class, bit, name, default prefix of pseudonyms, values repeat (a pseudonym would be counted) */
#define COLUMN_CLASSES(X)                                                                          \
    X(NAME, 0, "name", "NAM", true)                                                                \
    X(PHONE, 1, "phone", "PHN", false)                                                             \
    X(EMAIL, 2, "email", "EML", false)                                                             \
    X(SSN, 3, "ssn", "SSN", false)                                                                 \
    X(ADDRESS, 4, "address", "ADR", true)                                                          \
    X(MRN, 5, "mrn", "MRN", false)                                                                 \
    X(DATE, 6, "date", "DAT", true)                                                                \
    X(ZIP, 7, "zip", "ZIP", true)                                                                  \
    X(SEX, 8, "sex", "SEX", true)

typedef enum ColumnClass {
    CLASS_NONE = 0,
#define CLASS_ENUM(name, bit, text, prefix, repeats) CLASS_##name = 1 << bit,
    COLUMN_CLASSES(CLASS_ENUM)
#undef CLASS_ENUM
} ColumnClass;

ColumnClass column_class(Bytes column_name);
const char *column_class_name(ColumnClass c); /* "none" for CLASS_NONE */
/* "MRN"; "ID" for CLASS_NONE. */
const char *column_class_prefix(ColumnClass c);
/* Few distinct values, or values that frequency gives away: not for pseudonyms. */
bool column_class_repeats(ColumnClass c);

#endif
