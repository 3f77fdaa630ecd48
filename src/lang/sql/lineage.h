/* The shapes of a look in progress: where each column of each (sub-)query comes from.
 *
 *   Query   one SELECT, VALUES, set operation or RETURNING; knows the query around it
 *   Item    an entry of its FROM: what PostgreSQL's parser calls a namespace item
 *   Col     a column of an item, or of the query's result
 *   Source  a base column that a Col shows or is computed from
 *   Sink    where the columns that an expression reads are written down
 *   Task    a step of the walk; the explicit stack in place of recursion
 *
 * All in the look's own arena, freed with it. Internal to lang/sql. */
#ifndef LANG_SQL_LINEAGE_H
#define LANG_SQL_LINEAGE_H

#include "base/arena.h"
#include "lang/sql/sql_look.h"
#include "model/meaning.h"

#include <pg_query/pg_query.pb-c.h>

#define NO_OUTPUT   UINT32_MAX /* ColumnUse.output of a use that reaches none */
#define NO_POSITION UINT32_MAX /* of a source: not referred to yet */

typedef enum How { HOW_DIRECT, HOW_DERIVED, HOW_COUNTED } How;

typedef struct Source {
    ColumnRef column;
    How how;
    uint32_t position;
} Source;

typedef struct Sources {
    Source *list;
    size_t count, cap;
} Sources;

typedef struct Col {
    Bytes name;
    ColumnRef shown; /* what RowDescription will say; oid 0: computed */
    uint32_t type;   /* 0: not known */
    int32_t typmod;
    Sources sources;
    bool starred; /* made by "*", not named by anyone */
} Col;

typedef struct Item {
    Bytes alias;               /* the name it is known by; empty: none */
    const SchemaRelation *rel; /* NULL: not a relation */
    bool aliased;              /* so "schema.name.column" does not reach it */
    const Col **cols;
    size_t col_count;
    bool open;         /* has columns that we cannot know */
    Sources open_from; /* open: what any of them is computed from */
    bool rel_visible, cols_visible;
} Item;

typedef struct Query Query;

typedef enum SinkKind { SINK_COL, SINK_PREDICATE, SINK_CARRIED } SinkKind;

typedef struct Sink {
    SinkKind kind;
    Sources *to;  /* SINK_COL */
    Query *query; /* whose condition or value it is */
} Sink;

typedef enum CteState { CTE_WAITING = 0, CTE_RUNNING, CTE_SELF, CTE_DONE } CteState;

typedef struct Cte {
    const PgQuery__CommonTableExpr *node;
    Bytes name;
    CteState state;
    bool recursive; /* it referred to itself */
    Query *query;
    Col **cols; /* CTE_SELF: of the first arm; CTE_DONE: of all */
    size_t col_count;
    bool open;
} Cte;

struct Query {
    Query *parent;                  /* around it; NULL at the top */
    size_t parent_low, parent_high; /* the items of `parent` that it sees */
    Item *items;
    size_t item_count, item_cap;
    Cte *ctes;
    size_t cte_count, cte_seen; /* the first cte_seen are visible */
    bool cte_recursive;
    Cte *of_cte;       /* it is the body of this one */
    Sink *derive_into; /* a scalar sub-query: all it reads also goes there */
    Col **cols;
    size_t col_count, col_cap;
    bool open;                         /* it has more outputs than `cols` */
    const PgQuery__SelectStmt *select; /* NULL: RETURNING */
    Query *left, *right;               /* of a set operation */
    uint32_t last_item;                /* of FROM, so far */
};

/* Where an expression stands: which items it sees, what becomes of the columns it reads. */
typedef struct Env {
    Query *query;
    size_t low, high; /* of query->items */
    Sink *sink;
} Env;

typedef struct Look Look;
typedef struct Utility Utility; /* utility.c */
typedef struct Task Task;
typedef Err (*Step)(Look *l, const Task *task);

struct Task {
    Step step;
    const void *node; /* what kind is up to the step */
    Env env;
    void *state;
    bool at_top; /* of a condition: reached through ANDs only */
};

struct Look {
    const SqlContext *ctx;
    Arena *out;   /* the caller's: the Meaning */
    Arena *arena; /* ours: tree, queries, columns */
    Bytes text;
    Task *tasks;
    size_t task_count, task_cap;
    uint64_t steps; /* so far, bounded */

    const char *why;
    uint32_t why_position;
    SchemaName *unknown;
    size_t unknown_count, unknown_cap;
    uint32_t unknown_position; /* of the first */
    Statement *statements;
    size_t statement_count;
    uint32_t current; /* index of the statement being read */
    RelationUse *relations;
    size_t relation_count, relation_cap;
    ColumnUse *uses;
    size_t use_count, use_cap;
    ValueUse *values;
    size_t value_count, value_cap;
    bool depends_on_literals;
    unsigned effects;       /* of the statement being read */
    const Utility *utility; /* the statement being walked */
    bool stores;            /* SELECT … INTO: its outputs are kept, not shown */
};

/* Not understood: remembers the words and gives ERR_REFUSED, which sql_look() turns into a
 * Meaning. An "@" in `words` stands for `name`. */
Err look_refuse(Look *l, int32_t position, const char *words, Bytes name) MUST_CHECK;
/* Room for one more element of `size` bytes in an array of the look's arena. */
Err look_grow(Look *l, void **array, size_t *cap, size_t count, size_t size) MUST_CHECK;
Err look_push(Look *l, Task task) MUST_CHECK;
Err look_run(Look *l) MUST_CHECK;
Statement *look_statement(Look *l);

/* --- sinks --- */
Err source_add(Look *l, Sources *to, Source source) MUST_CHECK;
/* All of `from`, as an expression reads them: what was shown becomes derived. */
Err source_add_read(Look *l, Sources *to, const Sources *from) MUST_CHECK;
Err sink_new(Look *l, SinkKind kind, Sources *to, Query *query, Sink **ret) MUST_CHECK;
Err sink_sources(Look *l, const Sink *sink, const Sources *from) MUST_CHECK;
/* Only whether they are null is seen. */
Err sink_counted(Look *l, const Sink *sink, const Sources *from) MUST_CHECK;
/* Compared with one value, and that one is known by place: literal or parameter. */
Err sink_equals(Look *l, const Sink *sink, const Sources *from) MUST_CHECK;
Err use_add(Look *l, ColumnUseKind kind, Source source, uint32_t output) MUST_CHECK;
Err value_add(Look *l, ValueUse value) MUST_CHECK;
Err relation_add(Look *l, const SchemaRelation *r, unsigned effects, int32_t position) MUST_CHECK;
/* The sources of `from` all become uses of the current statement's outputs, or carried. */
Err emit_outputs(Look *l, const Query *from, bool to_one) MUST_CHECK;
Err emit_carried(Look *l, const Query *from) MUST_CHECK;

/* --- scope.c: names --- */
Err scope_relation(Look *l, const PgQuery__RangeVar *var, const SchemaRelation **ret) MUST_CHECK;
/* The columns of a relation, views traced to what they show. */
Err scope_columns(Look *l, const SchemaRelation *r, const Col ***ret, size_t *ret_count) MUST_CHECK;
Err scope_item(Look *l, Query *q, Item item) MUST_CHECK;
/* `r` NULL: not known, its columns neither. */
Err scope_item_relation(Look *l, Query *q, const PgQuery__RangeVar *var,
                        const SchemaRelation *r) MUST_CHECK;
/* Notes that it is read, and what is below it when it is a view. */
Err scope_note_read(Look *l, const SchemaRelation *r, int32_t position) MUST_CHECK;
/* A column of the query's own items; *ret NULL: none. */
Err scope_local_column(Look *l, Query *q, Bytes name, const Col **ret) MUST_CHECK;
/* Gives the item an alias and renames its first columns. */
Err scope_rename(Look *l, Item *item, const PgQuery__Alias *alias) MUST_CHECK;
Err scope_column(Look *l, const Env *env, const PgQuery__ColumnRef *ref,
                 const Col **ret) MUST_CHECK;
/* "*" and "name.*": appended to the query's own columns. */
Err scope_star(Look *l, const Env *env, const PgQuery__ColumnRef *ref, Query *into) MUST_CHECK;
/* (name).field and (name).*: NULL when `name` is not a row of this scope. */
Err scope_row_item(Look *l, const Env *env, const PgQuery__Node *arg, const Item **ret) MUST_CHECK;
Err scope_star_item(Look *l, const Item *item, Query *into, uint32_t position) MUST_CHECK;
Err scope_whole_row(Look *l, const Item *item, uint32_t position, const Col **ret) MUST_CHECK;
Err scope_item_column(Look *l, const Item *item, Bytes name, const Col **ret) MUST_CHECK;
/* A copy of `from` whose fresh sources are at `position`. */
Err col_at(Look *l, const Col *from, uint32_t position, const Col **ret) MUST_CHECK;
Cte *scope_cte(const Query *q, Bytes name);

/* --- expression.c --- */
Err expression_step(Look *l, const Task *task) MUST_CHECK;
Err expression_push(Look *l, Env env, const void *node) MUST_CHECK; /* a protobuf message or NULL */
Err expression_push_all(Look *l, Env env, PgQuery__Node *const *nodes, size_t count) MUST_CHECK;
/* Each child message of `node`, whatever it is. */
Err expression_children(Look *l, Env env, const ProtobufCMessage *node) MUST_CHECK;
bool expression_is_one(const ProtobufCMessage *m);
Err condition_push(Look *l, Env env, const PgQuery__Node *node) MUST_CHECK;
/* The message inside a Node; itself for any other; NULL for an empty one. */
const ProtobufCMessage *node_inside(const void *node);
/* Literal or parameter, also below casts. */
bool node_value(Look *l, const PgQuery__Node *node, ValueUse *ret);
bool node_plain_column(const PgQuery__Node *node);
uint32_t node_position(const PgQuery__ColumnRef *ref);
/* A bare or (p).field or no-op cast reference to a column, as an output shows it; *ret NULL:
 * something else. */
Err expression_plain(Look *l, const Env *env, const PgQuery__Node *node,
                     const Col **ret) MUST_CHECK;
Bytes node_string(const PgQuery__Node *node); /* empty: not a String */

/* --- query.c: SELECT --- */
Err query_new(Look *l, const Env *around, Query **ret) MUST_CHECK; /* NULL: at the top */
/* `node` is a SelectStmt, InsertStmt, UpdateStmt, DeleteStmt or MergeStmt. */
Err query_push(Look *l, Query *q, const ProtobufCMessage *node) MUST_CHECK;
/* Output columns from a target list or RETURNING. */
Err query_targets_push(Look *l, const Env *env, PgQuery__Node *const *list,
                       size_t count) MUST_CHECK;
Err query_new_col(Look *l, Query *q, Bytes name, Col **ret) MUST_CHECK;
/* A sub-query is done: what it computes may be seen by its errors, used or not. */
Err query_settle(Look *l, Query *q) MUST_CHECK;
Err query_env(Look *l, Query *q, SinkKind kind, Env *ret) MUST_CHECK; /* sees all its items */

/* --- with.c, from.c, writing.c --- */
Err with_push(Look *l, Query *q, const PgQuery__WithClause *with) MUST_CHECK;
Err with_first_arm(Look *l, Cte *cte, const Query *arm) MUST_CHECK;
Err from_list_push(Look *l, Query *q, PgQuery__Node *const *list, size_t count) MUST_CHECK;
Err from_push(Look *l, Query *q, const PgQuery__Node *node) MUST_CHECK;
Err writing_push(Look *l, Query *q, const ProtobufCMessage *node) MUST_CHECK;
/* The columns a list names, or all of the relation. */
Err writing_columns(Look *l, const SchemaRelation *r, PgQuery__Node *const *list, size_t count,
                    const SchemaColumn *const **ret) MUST_CHECK;
Err writing_target(Look *l, const SchemaRelation *r, const SchemaColumn *c,
                   uint32_t position) MUST_CHECK;
/* The relation is written, and what a view of it shows. */
Err writing_note(Look *l, const SchemaRelation *r, int32_t position) MUST_CHECK;

/* --- statement.c, utility.c --- */
typedef enum Ending { ENDING_OUTPUTS = 0, ENDING_CARRIED, ENDING_PLAN } Ending;

/* A whole statement; sets kind and effects. */
Err statement_push(Look *l, const ProtobufCMessage *node) MUST_CHECK;
/* The query inside one: EXPLAIN, PREPARE, DECLARE, COPY, CREATE … AS. */
Err statement_query_push(Look *l, const ProtobufCMessage *node, Ending ending) MUST_CHECK;
Err statement_output(Look *l, Bytes name) MUST_CHECK; /* one more computed output */
Err statement_lower(Look *l, Bytes name, Bytes *ret) MUST_CHECK;
/* By table; everything that has no step of its own. */
Err utility_push(Look *l, const ProtobufCMessage *node) MUST_CHECK;
/* --- setting.c --- */
Err setting_set(Look *l, const PgQuery__VariableSetStmt *set) MUST_CHECK;
Err setting_show(Look *l, const PgQuery__VariableShowStmt *show) MUST_CHECK;
Err setting_call(Look *l, const PgQuery__FuncCall *call) MUST_CHECK; /* set_config() */
/* --- copy.c --- */
Err copy_push(Look *l, const PgQuery__CopyStmt *copy) MUST_CHECK;
/* --- copy_options.c --- */
Err copy_options(Look *l, const PgQuery__CopyStmt *copy, CopyForm **ret) MUST_CHECK;

/* --- effects.c: what names do --- */
Err effect_of_function(Look *l, PgQuery__Node *const *name, size_t count) MUST_CHECK;
Err effect_of_operator(Look *l, PgQuery__Node *const *name, size_t count) MUST_CHECK;
Err effect_of_operator_named(Look *l, Bytes name) MUST_CHECK;
/* "(value).name" calls name(value) where no attribute has that name. */
void effect_of_field(Look *l, Bytes name);
Err effect_of_type(Look *l, const PgQuery__TypeName *type) MUST_CHECK;
/* The name of an unnamed target, as PostgreSQL gives it. */
Bytes target_name(const PgQuery__Node *node);
Err effect_of_call(Look *l, const PgQuery__FuncCall *call) MUST_CHECK; /* set_config's arguments */
bool effect_is_built_in(const Look *l, PgQuery__Node *const *name, size_t count, Bytes built_in);
/* The OID of a built-in type without modifier or array bounds; 0: any other. */
uint32_t effect_type_oid(const Look *l, const PgQuery__TypeName *type);
void look_effect(Look *l, unsigned effects);
bool path_has(const Look *l, const SchemaName *sorted, size_t count, Bytes name);

#endif
