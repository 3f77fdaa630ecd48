#include "proto/pg/pg_backend.h"

#include "base/buf.h"
#include "base/reader.h"
#include "base/text.h"

/* Everything is qualified: the account's search_path is not known to be harmless yet. */
const char PG_BACKEND_QUERY[] =
    "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(),"
    " pg_catalog.current_setting('transaction_read_only'),"
    " (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c),"
    " (SELECT d.oid FROM pg_catalog.pg_database d"
    " WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()),"
    " coalesce(pg_catalog.current_setting('" PG_BACKEND_MARK "', true), '')";

enum { COLUMNS = 6, CLUSTER_MAX = 64 };

static Err flag(Bytes text, Bytes yes, Bytes no, bool *ret)
{
    *ret = text_eq(text, yes);
    return *ret || text_eq(text, no) ? OK : ERR_MALFORMED;
}

Err pg_backend_read(Bytes row, Arena *arena, PgBackend *ret)
{
    CLEANUP(buf_done) Buf cluster = { 0 };
    Reader r = reader_of(row);
    Bytes column[COLUMNS];
    uint64_t pid, oid;
    uint16_t count;

    TRY(reader_u16(&r, &count));
    for (size_t i = 0; i < COLUMNS && i < count; i++) {
        uint32_t len;

        TRY(reader_u32(&r, &len)); /* -1, a NULL, is longer than any row */
        TRY(reader_bytes(&r, len, &column[i]));
    }
    if (count != COLUMNS || !reader_at_end(&r))
        return ERR_MALFORMED;
    TRY(text_u64(column[0], UINT32_MAX, &pid));
    ret->pid = (uint32_t)pid;
    TRY(flag(column[1], LIT("t"), LIT("f"), &ret->in_recovery));
    TRY(flag(column[2], LIT("on"), LIT("off"), &ret->read_only));
    TRY(text_u64(column[4], UINT32_MAX, &oid));
    buf_init(&cluster, CLUSTER_MAX);
    TRY(arena_copy(arena, column[5], &ret->mark));
    TRY(text_format(&cluster, "%.*s/%llu", SHOW(column[3]), (unsigned long long)oid));
    return arena_copy(arena, buf_view(&cluster), &ret->cluster);
}
