/* What the target's catalogue says: an immutable snapshot with a generation number.
 *
 * Read over the gateway's own connection, never the client's. One for each (worker,
 * resource); replaced whole, never changed. System relations (pg_catalog,
 * information_schema) are in it like any other. All views borrow from the snapshot. */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include "base/base.h"

typedef enum RelationKind {
    RELATION_TABLE = 'r',
    RELATION_PARTITIONED = 'p',
    RELATION_VIEW = 'v',
    RELATION_MATVIEW = 'm',
    RELATION_FOREIGN = 'f',
    RELATION_SEQUENCE = 'S',
    RELATION_COMPOSITE = 'c',
} RelationKind;

/* A base column, as RowDescription names it. attnum 0: the whole row; below 0: system columns. */
typedef struct ColumnRef {
    uint32_t oid;
    int16_t attnum;
} ColumnRef;

typedef struct SchemaColumn {
    Bytes name;
    int16_t attnum;
    uint32_t type_oid;
    int32_t typmod;
    bool generated; /* STORED: COPY without a column list leaves it out */
    /* Views: the column of the relation below that this one shows unchanged; oid 0: computed. */
    ColumnRef origin;
} SchemaColumn;

typedef struct SchemaRelation {
    uint32_t oid;
    RelationKind kind;
    Bytes schema, name;
    const SchemaColumn *columns; /* in attnum order, dropped ones left out */
    size_t column_count;
    const uint32_t *parents; /* inheritance and partitions, direct ones */
    size_t parent_count;
    const ColumnRef *reads; /* views: every column the definition depends on */
    size_t read_count;
    /* Reading it runs code that is not PostgreSQL's own (a view over a user function, a
     * row security policy, a foreign table); writing it does (trigger, rule, user default). */
    bool reading_runs_code, writing_runs_code;
} SchemaRelation;

/* A function, operator or type outside pg_catalog: its name may shadow a built-in one. */
typedef struct SchemaName {
    Bytes schema, name;
} SchemaName;

typedef struct Schema {
    uint64_t generation;
    const SchemaRelation *relations; /* sorted by schema, then name */
    size_t relation_count;
    const uint32_t *by_oid;                          /* indices into relations, sorted by oid */
    const SchemaName *functions, *operators, *types; /* user-made, each sorted */
    size_t function_count, operator_count, type_count;
    /* Of `types`, those whose values run no code that anybody made: enums, domains without a
     * check over such. Sorted. */
    const SchemaName *harmless_types;
    size_t harmless_type_count;
    const Bytes *cast_targets; /* names of types that a user-made cast leads to */
    size_t cast_target_count;
    bool
        implicit_user_cast; /* some user-made cast applies by itself: any expression may run code */
} Schema;

/* NULL: no such relation in the snapshot. */
const SchemaRelation *schema_find(const Schema *s, Bytes schema, Bytes name);
const SchemaRelation *schema_by_oid(const Schema *s, uint32_t oid);
const SchemaColumn *schema_column(const SchemaRelation *r, int16_t attnum);
const SchemaColumn *schema_column_named(const SchemaRelation *r, Bytes name);
/* Is there an entry of this name in any of the schemas? `sorted` as in Schema. */
bool schema_has_name(const SchemaName *sorted, size_t count, Bytes schema, Bytes name);
bool schema_is_system(Bytes schema); /* pg_catalog, information_schema, pg_toast */
bool column_ref_eq(ColumnRef a, ColumnRef b);

#endif
