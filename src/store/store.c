#include "store/store.h"

#include "base/text.h"
#include "store/query.h"
#include "store/schema.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENTS_MAX = 128, BUSY_MS = 2000 };

typedef struct Prepared {
    const char *sql;
    sqlite3_stmt *stmt;
} Prepared;

struct Store {
    sqlite3 *db;
    Prepared prepared[STATEMENTS_MAX];
    size_t count;
    bool in_transaction;
};

const char *store_why(const Store *s)
{
    return s != NULL && s->db != NULL ? sqlite3_errmsg(s->db) : "no database";
}

static Err run(Store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : ERR_IO;
}

/* --- opening ------------------------------------------------------------------------------ */

static Err schema_version(Store *s, uint64_t *ret)
{
    Query q = query_begin(s, "PRAGMA user_version");

    *ret = query_next(&q) ? query_take_u64(&q) : 0;
    return query_end(&q);
}

static Err set_version(Store *s, uint64_t version)
{
    CLEANUP(buf_done) Buf sql = { 0 };

    buf_init(&sql, 64);
    TRY(text_format(&sql, "PRAGMA user_version = %llu", (unsigned long long)version));
    TRY(buf_byte(&sql, 0));
    return run(s, (const char *)buf_view(&sql).ptr);
}

/* Each step in a transaction of its own, with the version it leads to. */
static Err bring_forward(Store *s)
{
    uint64_t version;

    TRY(schema_version(s, &version));
    if (version > STORE_SCHEMA_VERSION)
        return ERR_REFUSED;
    for (uint64_t at = version; at < STORE_SCHEMA_VERSION; at++) {
        TRY(store_begin(s));
        if (run(s, STORE_MIGRATIONS[at]) != OK || set_version(s, at + 1) != OK) {
            store_rollback(s);
            return ERR_IO;
        }
        TRY(store_commit(s));
    }
    return OK;
}

static Err set_up(Store *s, StoreAccess access)
{
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    if (access == STORE_READ)
        return OK;
    TRY(run(s, "PRAGMA journal_mode = WAL"));
    TRY(run(s, "PRAGMA synchronous = FULL"));
    TRY(run(s, "PRAGMA foreign_keys = ON"));
    TRY(run(s, "PRAGMA secure_delete = ON"));
    TRY(run(s, "PRAGMA trusted_schema = OFF"));
    TRY(run(s, "PRAGMA temp_store = MEMORY")); /* no temporary file outside our folders */
    return bring_forward(s);
}

Err store_open(const char *path, StoreAccess access, Store **ret)
{
    const int flags =
        access == STORE_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    Store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return ERR_LIMIT;
    Err err = sqlite3_open_v2(path, &s->db, flags, NULL) == SQLITE_OK ? OK : ERR_IO;
    if (err == OK)
        err = set_up(s, access);
    if (err != OK) {
        store_close(s);
        return err;
    }
    *ret = s;
    return OK;
}

/* All pages in one step, so within one read transaction: one moment of the store. */
Err store_copy(Store *from, const char *path)
{
    sqlite3 *to = NULL;
    Err err = ERR_IO;

    if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK) {
        sqlite3_backup *copy = sqlite3_backup_init(to, "main", from->db, "main");

        if (copy != NULL && sqlite3_backup_step(copy, -1) == SQLITE_DONE)
            err = OK;
        if (sqlite3_backup_finish(copy) != SQLITE_OK)
            err = ERR_IO;
    }
    /* The copy is one file: without a log beside it. */
    if (err == OK &&
        sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        err = ERR_IO;
    (void)sqlite3_close_v2(to);
    return err;
}

void store_close(Store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        (void)sqlite3_finalize(s->prepared[i].stmt);
    (void)sqlite3_close_v2(s->db);
    free(s);
}

/* --- transactions ------------------------------------------------------------------------- */

Err store_begin(Store *s)
{
    TRY(run(s, "BEGIN IMMEDIATE"));
    s->in_transaction = true;
    return OK;
}

Err store_commit(Store *s)
{
    if (run(s, "COMMIT") != OK) {
        store_rollback(s);
        return ERR_IO;
    }
    s->in_transaction = false;
    return OK;
}

void store_rollback(Store *s)
{
    if (s->in_transaction)
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    s->in_transaction = false;
}

/* --- statements --------------------------------------------------------------------------- */

static sqlite3_stmt *prepared(Store *s, const char *sql)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->prepared[i].sql == sql)
            return s->prepared[i].stmt;
    sqlite3_stmt *stmt = NULL;
    if (s->count == STATEMENTS_MAX ||
        sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return NULL;
    s->prepared[s->count++] = (Prepared){ sql, stmt };
    return stmt;
}

Query query_begin(Store *s, const char *sql)
{
    sqlite3_stmt *stmt = prepared(s, sql);

    /* A statement in use twice at once would read another row than it thinks. */
    if (stmt == NULL || sqlite3_stmt_busy(stmt) != 0)
        return (Query){ .store = s, .err = ERR_IO };
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return (Query){ .store = s, .stmt = stmt };
}

static void note(Query *q, int code)
{
    if (code != SQLITE_OK && q->err == OK)
        q->err = code == SQLITE_NOMEM || code == SQLITE_TOOBIG ? ERR_LIMIT : ERR_IO;
}

void query_text(Query *q, Bytes v)
{
    q->bound++;
    if (q->err == OK)
        note(q, sqlite3_bind_text64(q->stmt, q->bound, v.len > 0 ? (const char *)v.ptr : "", v.len,
                                    SQLITE_TRANSIENT, SQLITE_UTF8));
}

void query_blob(Query *q, Bytes v)
{
    q->bound++;
    if (q->err == OK)
        note(q, v.len > 0 ? sqlite3_bind_blob64(q->stmt, q->bound, v.ptr, v.len, SQLITE_TRANSIENT)
                          : sqlite3_bind_zeroblob(q->stmt, q->bound, 0));
}

void query_u64(Query *q, uint64_t v)
{
    q->bound++;
    if (q->err == OK && v > INT64_MAX)
        q->err = ERR_LIMIT;
    if (q->err == OK)
        note(q, sqlite3_bind_int64(q->stmt, q->bound, (sqlite3_int64)v));
}

bool query_next(Query *q)
{
    if (q->err != OK)
        return false;
    const int code = sqlite3_step(q->stmt);

    q->column = 0;
    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_CONSTRAINT)
        q->err = ERR_REFUSED;
    else if (code != SQLITE_DONE)
        note(q, code);
    return false;
}

Err query_end(Query *q)
{
    if (q->stmt != NULL) {
        (void)sqlite3_reset(q->stmt);
        (void)sqlite3_clear_bindings(q->stmt);
    }
    q->stmt = NULL;
    return q->err;
}

Err query_run(Query *q)
{
    while (query_next(q))
        continue;
    return query_end(q);
}

Err query_changed(Query *q, uint64_t *ret_changed)
{
    TRY(query_run(q));
    *ret_changed = (uint64_t)sqlite3_changes64(q->store->db);
    return OK;
}

/* --- columns ------------------------------------------------------------------------------ */

Bytes query_take(Query *q)
{
    const int at = q->column++;
    const void *mem = sqlite3_column_blob(q->stmt, at);

    return (Bytes){ mem, mem != NULL ? (size_t)sqlite3_column_bytes(q->stmt, at) : 0 };
}

uint64_t query_take_u64(Query *q)
{
    return (uint64_t)sqlite3_column_int64(q->stmt, q->column++);
}

static void take_fixed(Query *q, uint8_t *ret, size_t len)
{
    const Bytes b = query_take(q);

    if (b.len == len)
        memcpy(ret, b.ptr, len);
}

Id query_take_id(Query *q)
{
    Id id = { 0 };

    take_fixed(q, id.bytes, sizeof id.bytes);
    return id;
}

PackKey query_take_key(Query *q)
{
    PackKey key = { 0 };

    take_fixed(q, key.bytes, sizeof key.bytes);
    return key;
}

/* --- meta --------------------------------------------------------------------------------- */

static const char META_GET[] = "SELECT value FROM meta WHERE name = ?";
static const char META_PUT[] = "INSERT INTO meta (name, value) VALUES (?, ?) "
                               "ON CONFLICT (name) DO UPDATE SET value = excluded.value";

Err store_meta_get(Store *s, const char *name, Buf *out)
{
    Query q = query_begin(s, META_GET);

    query_text(&q, (Bytes){ (const uint8_t *)name, strlen(name) });
    const bool found = query_next(&q);
    const Err err = found ? buf_append(out, query_take(&q)) : OK;
    TRY(query_end(&q));
    return err != OK ? err : found ? OK : ERR_MORE;
}

Err store_meta_put(Store *s, const char *name, Bytes value)
{
    Query q = query_begin(s, META_PUT);

    query_text(&q, (Bytes){ (const uint8_t *)name, strlen(name) });
    query_blob(&q, value);
    return query_run(&q);
}
