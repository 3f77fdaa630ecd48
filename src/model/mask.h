/* How one column may leave: decided by policy, carried out by phi/. */
#ifndef MODEL_MASK_H
#define MODEL_MASK_H

#include "base/base.h"
#include "model/schema.h"

#define MASK_METHODS(X)                                                                            \
    X(CLEAR, "clear")                                                                              \
    X(NULL, "null")                                                                                \
    X(REDACT, "redact")                                                                            \
    X(YEAR, "year")                                                                                \
    X(ZIP3, "zip3")                                                                                \
    X(PSEUDONYM, "pseudonym")

/* Zero is not CLEAR: a forgotten mask withholds. */
typedef enum MaskMethod {
    MASK_WITHHOLD = 0,
#define MASK_ENUM(name, text) MASK_##name,
    MASK_METHODS(MASK_ENUM)
#undef MASK_ENUM
} MaskMethod;

typedef struct ColumnMask {
    MaskMethod method;
    bool unclassified;  /* no rule names the column: MASK_NULL because of `unclassified: mask` */
    Bytes class_prefix; /* pseudonyms: "MRN" gives "MRN-7F3A…"; empty: none */
    Bytes scope;        /* pseudonyms: whose key; empty: the resource's */
} ColumnMask;

/* One value on its way out, as the target's wire has it. */
typedef struct Cell {
    const ColumnMask *mask;
    uint32_t type_oid;
    int32_t typmod;
    bool binary; /* the protocol's binary format, else text */
    Bytes value; /* not NULL */
} Cell;

/* "clear", "null" …; "withhold". */
const char *mask_method_name(MaskMethod method);
/* MASK_WITHHOLD: no such method. */
MaskMethod mask_method_by_name(Bytes name);

#endif
