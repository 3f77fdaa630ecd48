/* The store: what is kept is there again, what must not be doubled is not. */
#include "base/text.h"
#include "store/query.h"
#include "store/schema.h"
#include "store/store_recorded.h"
#include "store/store_request.h"
#include "store/store_segment.h"
#include "store/store_session.h"
#include "store/store_user.h"
#include "test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Folder {
    char folder[64], path[80];
    Store *store;
    Arena arena;
} Folder;

static void begin(Folder *f)
{
    *f = (Folder){ .folder = "/tmp/chaperone-test-XXXXXX" };
    EXPECT(mkdtemp(f->folder) != NULL);
    (void)snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    EXPECT(store_open(f->path, STORE_WRITE, &f->store) == OK);
    arena_init(&f->arena, 1 << 20);
}

static void again(Folder *f)
{
    store_close(f->store);
    EXPECT(store_open(f->path, STORE_WRITE, &f->store) == OK);
}

static void end(Folder *f)
{
    static const char *const BESIDE[] = { "", "-wal", "-shm" };
    char path[96];

    store_close(f->store);
    for (size_t i = 0; i < COUNT_OF(BESIDE); i++) {
        (void)snprintf(path, sizeof path, "%s%s", f->path, BESIDE[i]);
        (void)unlink(path);
    }
    EXPECT(rmdir(f->folder) == 0);
    arena_done(&f->arena);
}

static StoreUser dana(void)
{
    return (StoreUser){ .name = LIT("dana"),
                        .kind = IDENTITY_HUMAN,
                        .salt = LIT("0123456789abcdef"),
                        .rounds = 100000,
                        .credential_issued_by = LIT("root"),
                        .created_by = LIT("root"),
                        .created_ns = 5 };
}

static void users_and_groups(void)
{
    Folder f;
    StoreUser u = dana(), read;
    StoreGroups groups;

    begin(&f);
    EXPECT(store_user_add(f.store, &u) == OK);
    EXPECT(store_user_add(f.store, &u) == ERR_REFUSED);
    EXPECT(store_group_add(f.store, u.name, LIT("clinical")) == OK);
    EXPECT(store_group_add(f.store, u.name, LIT("clinical")) == OK);
    EXPECT(store_group_add(f.store, LIT("nobody"), LIT("x")) == ERR_REFUSED);
    u.disabled = true;
    EXPECT(store_user_update(f.store, &u) == OK);
    again(&f);
    EXPECT(store_user_get(f.store, LIT("dana"), &f.arena, &read) == OK);
    EXPECT(read.disabled && read.rounds == 100000 && text_eq(read.salt, u.salt));
    EXPECT(store_groups(f.store, LIT("dana"), &f.arena, &groups) == OK);
    EXPECT(groups.count == 1 && text_eq(groups.at[0], LIT("local/clinical")));
    EXPECT(store_user_remove(f.store, LIT("dana")) == OK);
    EXPECT(store_user_get(f.store, LIT("dana"), &f.arena, &read) == ERR_MORE);
    EXPECT(store_groups(f.store, LIT("dana"), &f.arena, &groups) == OK && groups.count == 0);
    end(&f);
}

static void tokens(void)
{
    Folder f;
    const StoreUser u = dana();
    StoreVerifier v = { .id = { { 1 } },
                        .user = LIT("dana"),
                        .kind = VERIFIER_TOKEN,
                        .lookup = { { 7 } },
                        .issued_by = LIT("root") };
    StoreVerifier read;

    begin(&f);
    EXPECT(store_verifier_add(f.store, &v) == ERR_REFUSED); /* of nobody */
    EXPECT(store_user_add(f.store, &u) == OK);
    EXPECT(store_verifier_add(f.store, &v) == OK);
    EXPECT(store_verifier_find(f.store, &v.lookup, &f.arena, &read) == OK);
    EXPECT(text_eq(read.user, LIT("dana")) && read.revoked_ns == 0);
    const IdText id = id_text('t', &v.id);
    EXPECT(store_token_revoke(f.store, text_of(id.text), 9) == OK);
    EXPECT(store_token_revoke(f.store, text_of(id.text), 9) == ERR_MORE);
    EXPECT(store_verifier_find(f.store, &v.lookup, &f.arena, &read) == OK && read.revoked_ns == 9);
    EXPECT(store_user_remove(f.store, LIT("dana")) == OK);
    EXPECT(store_verifier_find(f.store, &v.lookup, &f.arena, &read) == ERR_MORE);
    end(&f);
}

typedef struct FallenSeen {
    size_t count;
    Fallen why;
} FallenSeen;

static Err see_fallen(void *ctx, const StoreSession *session, Fallen why)
{
    FallenSeen *seen = ctx;

    EXPECT(session->id.bytes[0] == 9 && session->writer.bytes[0] == 8);
    *seen = (FallenSeen){ seen->count + 1, why };
    return OK;
}

/* 0: it may go on. */
static Fallen fallen(Folder *f, uint64_t now_ns)
{
    FallenSeen seen = { 0 };

    EXPECT(store_session_fallen(f->store, now_ns, see_fallen, &seen) == OK && seen.count <= 1);
    return seen.why;
}

static void a_session_falls_with_its_identity_or_credential(void)
{
    Folder f;
    StoreUser u = dana();
    StoreVerifier v = { .id = { { 3 } },
                        .user = LIT("dana"),
                        .kind = VERIFIER_TOKEN,
                        .expires_ns = 100,
                        .issued_by = LIT("root") };
    StoreSession s = { .id = { { 9 } },
                       .writer = { { 8 } },
                       .user = LIT("dana"),
                       .kind = IDENTITY_HUMAN,
                       .resource = LIT("ehr"),
                       .credential = v.id };
    const IdText token = id_text('t', &v.id);

    begin(&f);
    EXPECT(store_user_add(f.store, &u) == OK && store_verifier_add(f.store, &v) == OK);
    EXPECT(store_session_add(f.store, &s) == OK);
    EXPECT(fallen(&f, 99) == 0 && fallen(&f, 100) == FALLEN_CREDENTIAL_EXPIRED);
    u.expires_ns = 50;
    EXPECT(store_user_update(f.store, &u) == OK);
    EXPECT(fallen(&f, 49) == 0 && fallen(&f, 50) == FALLEN_USER_EXPIRED);
    u.disabled = true;
    EXPECT(store_user_update(f.store, &u) == OK && fallen(&f, 1) == FALLEN_USER_DISABLED);
    u.disabled = false;
    EXPECT(store_user_update(f.store, &u) == OK);
    EXPECT(store_token_revoke(f.store, text_of(token.text), 7) == OK);
    EXPECT(fallen(&f, 1) == FALLEN_CREDENTIAL_REVOKED);
    EXPECT(store_user_remove(f.store, LIT("dana")) == OK && fallen(&f, 1) == FALLEN_USER_GONE);
    u.created_ns = 6; /* the same name again is not the same person */
    EXPECT(store_user_add(f.store, &u) == OK && fallen(&f, 1) == FALLEN_CREDENTIAL_GONE);
    s.ended_ns = 2;
    EXPECT(store_session_end(f.store, &s) == OK && fallen(&f, 1) == 0);
    end(&f);
}

static void a_request_moves_once(void)
{
    Folder f;
    StoreRequest r = { .id = { { 1 } }, .caller = LIT("dana"), .unit = { { 3 } }, .count = 1 };
    StoreRequest read;
    uint64_t count;

    begin(&f);
    EXPECT(store_request_add(f.store, &r) == OK);
    EXPECT(store_request_add(f.store, &r) == ERR_REFUSED);
    r.state = REQUEST_APPROVED;
    EXPECT(store_request_move(f.store, &r, REQUEST_OPEN) == OK);
    EXPECT(store_request_move(f.store, &r, REQUEST_OPEN) == ERR_MORE);
    r.state = REQUEST_USED;
    EXPECT(store_request_move(f.store, &r, REQUEST_APPROVED) == OK);
    EXPECT(store_request_move(f.store, &r, REQUEST_APPROVED) == ERR_MORE);
    again(&f);
    EXPECT(store_request_get(f.store, &r.id, &f.arena, &read) == OK && read.state == REQUEST_USED);
    const RequestFilter used = { .caller = LIT("dana"),
                                 .unit = &r.unit,
                                 .states = 1U << REQUEST_USED };
    EXPECT(store_request_count(f.store, &used, &count) == OK && count == 1);
    const RequestFilter open = { .states = 1U << REQUEST_OPEN };
    EXPECT(store_request_count(f.store, &open, &count) == OK && count == 0);
    const StoreAnswer answer = { LIT("pat"), true, LIT(""), 4 };
    EXPECT(store_answer_add(f.store, &r.id, &answer) == OK);
    EXPECT(store_answer_add(f.store, &r.id, &answer) == ERR_REFUSED);
    end(&f);
}

static void segments_ascend(void)
{
    Folder f;
    StoreSegment a = { .writer = { { 1 } } }, b = { .writer = { { 2 } } }, read;
    uint64_t lowest;

    begin(&f);
    EXPECT(store_segment_add(f.store, &a) == OK && store_segment_add(f.store, &b) == OK);
    EXPECT(a.id == 1 && b.id == 2);
    a.length = 96;
    EXPECT(store_segment_seal(f.store, &a) == OK);
    EXPECT(store_segment_seal(f.store, &a) == ERR_MORE);
    EXPECT(store_segment_remove(f.store, a.id) == OK); /* sealed: stays */
    EXPECT(store_segment_get(f.store, a.id, &read) == OK && read.state == SEGMENT_SEALED);
    EXPECT(store_segment_lowest_open(f.store, &a.writer, &lowest) == OK && lowest == 0);
    EXPECT(store_segment_lowest_open(f.store, &b.writer, &lowest) == OK && lowest == 2);
    end(&f);
}

static void a_rollback_leaves_nothing(void)
{
    CLEANUP(buf_done) Buf value = { 0 };
    Folder f;

    begin(&f);
    buf_init(&value, 64);
    EXPECT(store_begin(f.store) == OK);
    EXPECT(store_meta_put(f.store, "x", LIT("1")) == OK);
    store_rollback(f.store);
    EXPECT(store_meta_get(f.store, "x", &value) == ERR_MORE);
    EXPECT(store_begin(f.store) == OK && store_meta_put(f.store, "x", LIT("2")) == OK);
    EXPECT(store_commit(f.store) == OK);
    store_rollback(f.store);
    EXPECT(store_meta_get(f.store, "x", &value) == OK && text_eq(buf_view(&value), LIT("2")));
    end(&f);
}

static void a_newer_file_is_left_alone(void)
{
    Folder f;
    Store *store;

    begin(&f);
    Query q = query_begin(f.store, "PRAGMA user_version = 99");
    EXPECT(query_run(&q) == OK);
    store_close(f.store);
    EXPECT(store_open(f.path, STORE_WRITE, &store) == ERR_REFUSED);
    EXPECT(store_open(f.path, STORE_READ, &f.store) == OK);
    EXPECT(store_meta_put(f.store, "x", LIT("1")) != OK);
    end(&f);
}

/* What a version made that knew of no budgets. */
static void a_file_of_the_first_version(void)
{
    static const char SESSION[] =
        "INSERT INTO session VALUES (x'01', 's-1', x'02', 'dana', 1, 'ehr', '', '', '', x'03',"
        " x'04', x'05', 1, 2, 0, '', 0)";
    Folder f;
    sqlite3 *db;
    uint64_t live = 0;
    StoreShare share;

    begin(&f);
    store_close(f.store);
    EXPECT(unlink(f.path) == 0);
    EXPECT(sqlite3_open(f.path, &db) == SQLITE_OK);
    EXPECT(sqlite3_exec(db, STORE_MIGRATIONS[0], NULL, NULL, NULL) == SQLITE_OK);
    EXPECT(sqlite3_exec(db, SESSION, NULL, NULL, NULL) == SQLITE_OK);
    EXPECT(sqlite3_close(db) == SQLITE_OK);
    EXPECT(store_open(f.path, STORE_WRITE, &f.store) == OK);
    EXPECT(store_session_live_count(f.store, &live) == OK && live == 1);
    const StoreRecorded row = { LIT("dana"), LIT("ehr"), 24, 5, 1, 6 };
    EXPECT(store_recorded_put(f.store, &row) == OK && store_recorded_put(f.store, &row) == OK);
    EXPECT(store_share(f.store, LIT("dana"), 1, &share) == OK && share.whole == 6);
    EXPECT(store_recorded_forget(f.store, 2) == OK);
    EXPECT(store_share(f.store, LIT("dana"), 1, &share) == OK && share.whole == 0);
    end(&f);
}

int main(void)
{
    TEST(users_and_groups);
    TEST(tokens);
    TEST(a_session_falls_with_its_identity_or_credential);
    TEST(a_request_moves_once);
    TEST(segments_ascend);
    TEST(a_rollback_leaves_nothing);
    TEST(a_newer_file_is_left_alone);
    TEST(a_file_of_the_first_version);
    return 0;
}
