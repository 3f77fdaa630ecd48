/* What a command would do, as far as its text and the catalogue tell. Made by lang/, read
 * by policy/. Says which columns are touched and how; knows nothing of protection.
 *
 * Immutable once made; all views borrow from the arena it was made in. What could not be
 * understood is never guessed: `understood` false, and policy refuses. */
#ifndef MODEL_MEANING_H
#define MODEL_MEANING_H

#include "base/base.h"
#include "model/copy.h"
#include "model/schema.h"

/* One list; a statement has any number of them. None: transaction control, SHOW, plain SET. */
#define EFFECTS(X)                                                                                 \
    X(READ, 0, "read")                                                                             \
    X(WRITE, 1, "write")                                                                           \
    X(DDL, 2, "ddl")                                                                               \
    X(PRIV, 3, "priv")                                                                             \
    X(ADMIN, 4, "admin")                                                                           \
    X(LOCK, 5, "lock")                                                                             \
    X(MSG, 6, "msg")                                                                               \
    X(FILE, 7, "file")                                                                             \
    X(NET, 8, "net")                                                                               \
    X(OS, 9, "os")                                                                                 \
    X(REPL, 10, "repl")                                                                            \
    X(OPAQUE, 11, "opaque") /* runs code we cannot see into: counts as WRITE too */                \
    X(LOB, 12, "lob")       /* large objects: outside every table, so no mask knows them */

typedef enum Effect {
#define EFFECT_ENUM(name, bit, text) EFFECT_##name = 1 << bit,
    EFFECTS(EFFECT_ENUM)
#undef EFFECT_ENUM
} Effect;

typedef enum StatementKind {
    STATEMENT_OTHER = 0, /* named by its effects only */
    STATEMENT_SELECT,    /* VALUES and TABLE too */
    STATEMENT_INSERT,
    STATEMENT_UPDATE,
    STATEMENT_DELETE,
    STATEMENT_MERGE,
    STATEMENT_TRUNCATE,
    STATEMENT_COPY_TO,
    STATEMENT_COPY_FROM,
    STATEMENT_BEGIN, /* START TRANSACTION too */
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_SAVEPOINT, /* RELEASE and ROLLBACK TO too */
    STATEMENT_SET,
    STATEMENT_RESET,
    STATEMENT_SHOW,
    STATEMENT_EXPLAIN,
    STATEMENT_PREPARE,
    STATEMENT_EXECUTE,
    STATEMENT_DEALLOCATE,
    STATEMENT_DECLARE,
    STATEMENT_FETCH, /* MOVE too */
    STATEMENT_CLOSE,
    STATEMENT_DISCARD,
    STATEMENT_LISTEN, /* UNLISTEN, NOTIFY too */
    STATEMENT_CALL,
    STATEMENT_DO,
} StatementKind;

typedef enum ColumnUseKind {
    USE_OUTPUT,  /* an output column shows it unchanged (aliases, sub-selects, CTEs, views included)
                  */
    USE_DERIVED, /* an output column is computed from it */
    USE_COUNTED, /* only count(col) or IS [NOT] NULL of it reaches an output or a predicate */
    USE_EQUALS_VALUE, /* compared with = or IN to literals or parameters, at the top of a condition
                       */
    USE_PREDICATE, /* decides in any other way: WHERE, JOIN, GROUP, ORDER, DISTINCT, HAVING, LIMIT …
                    */
    USE_WRITTEN,   /* target of INSERT, UPDATE, MERGE, COPY FROM */
    USE_CARRIED, /* read by an expression whose value is stored: SET x = it, INSERT … SELECT, CTAS …
                  */
} ColumnUseKind;

typedef struct ColumnUse {
    ColumnUseKind kind;
    ColumnRef column;   /* attnum 0: the whole row, so every column */
    uint32_t statement; /* index into Meaning.statements */
    uint32_t output; /* USE_OUTPUT, USE_DERIVED, USE_COUNTED: index into that statement's outputs */
    uint32_t position; /* byte offset in the text */
} ColumnUse;

/* A literal or parameter given as the new value of a column, or compared with one. */
typedef struct ValueUse {
    ColumnUseKind kind; /* USE_WRITTEN or USE_EQUALS_VALUE */
    ColumnRef column;
    uint32_t parameter; /* 1-based $n; 0: `literal` */
    Bytes literal;      /* decoded */
    uint32_t position;
} ValueUse;

typedef struct RelationUse {
    uint32_t oid;
    Bytes schema, name;
    unsigned effects; /* EFFECT_READ, EFFECT_WRITE, EFFECT_DDL, EFFECT_LOCK on it */
    uint32_t statement, position;
} RelationUse;

typedef enum OutputKind {
    OUTPUT_COMPUTED = 0, /* the wire must say (0, 0) */
    OUTPUT_COLUMN, /* shows `column` unchanged; the wire must name a column of the same protection
                    */
} OutputKind;

typedef struct Output {
    OutputKind kind;
    ColumnRef column;
    Bytes name;
} Output;

/* A statement that runs text which was given earlier under a name. */
typedef enum ReferKind { REFER_NOTHING = 0, REFER_PREPARED, REFER_CURSOR } ReferKind;

typedef struct Statement {
    StatementKind kind;
    unsigned effects;
    uint32_t start, length; /* of its text, in bytes */
    bool has_where;         /* UPDATE, DELETE */
    bool analyze;           /* EXPLAIN that executes */
    bool outputs_known;     /* false: whatever comes back is judged by the wire alone */
    const Output *outputs;
    size_t output_count;
    ReferKind refers; /* EXECUTE, FETCH, and DECLARE/PREPARE/DEALLOCATE/CLOSE of `name` */
    Bytes name;       /* also: the setting of SET, RESET, SHOW, lower case; "all" for … ALL */
    Bytes inner;      /* PREPARE, DECLARE: the text that is kept (exact slice of the input) */
    bool value_known; /* SET: `value` holds the one literal given, decoded; lists are joined by ", "
                       */
    Bytes value;
    bool set_local;
    bool chain;           /* COMMIT, ROLLBACK AND CHAIN: another transaction begins at once */
    bool holds;           /* DECLARE … WITH HOLD: the cursor outlives its transaction */
    const CopyForm *copy; /* COPY between client and target; NULL: none, or a file of the target */
    Bytes runs;           /* COPY … TO STDOUT: the query that runs in its place */
} Statement;

typedef struct Meaning {
    bool understood;
    const char *why_not; /* for people, a whole clause: "syntax error at or near \"selec\"" */
    uint32_t why_not_position;
    /* Names the catalogue snapshot did not have; non-empty: read the catalogue, look again. */
    const SchemaName *unknown;
    size_t unknown_count;
    uint32_t unknown_position; /* byte offset of the first */

    unsigned effects; /* of all statements */
    const Statement *statements;
    size_t statement_count;
    const RelationUse *relations;
    size_t relation_count;
    const ColumnUse *uses;
    size_t use_count;
    const ValueUse *values;
    size_t value_count;
    bool depends_on_literals; /* one decided something here besides `values`: ORDER BY 1 … */
} Meaning;

bool statement_resets_all(const Statement *s); /* RESET ALL, DISCARD ALL */
bool statement_changes_path(const Statement *s);
const char *statement_kind_name(StatementKind kind); /* "SELECT", "UPDATE" …, "statement" */
/* "read", …; NULL when `effect` is not exactly one bit of the list. */
const char *effect_name(unsigned effect);
/* 0: no such effect. */
unsigned effect_by_name(Bytes name);

#endif
