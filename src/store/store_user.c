#include "store/store_user.h"

#include "base/text.h"
#include "store/query.h"

enum { GROUPS_MAX = 256 };

static const Bytes LOCAL = LIT_INIT("local/");

bool store_name_valid(Bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '@' || c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= STORE_NAME_MAX && name.ptr[0] != '-';
}

/* --- users -------------------------------------------------------------------------------- */

static const char USER_ADD[] =
    "INSERT INTO user (name, kind, owner, purpose, expires, disabled, salt, rounds,"
    " credential_issued_by, created_by, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
#define USER_COLUMNS                                                                               \
    "SELECT name, kind, owner, purpose, expires, disabled, salt, rounds, credential_issued_by,"    \
    " created_by, created FROM user "
static const char USER_GET[] = USER_COLUMNS "WHERE name = ?";
static const char USER_ALL[] = USER_COLUMNS "ORDER BY name";
static const char USER_UPDATE[] =
    "UPDATE user SET owner = ?, purpose = ?, expires = ?, disabled = ?, salt = ?, rounds = ?,"
    " credential_issued_by = ? WHERE name = ?";
static const char USER_REMOVE[] = "DELETE FROM user WHERE name = ?";

Err store_user_add(Store *s, const StoreUser *u)
{
    Query q = query_begin(s, USER_ADD);

    query_text(&q, u->name);
    query_u64(&q, (uint64_t)u->kind);
    query_text(&q, u->owner);
    query_text(&q, u->purpose);
    query_u64(&q, u->expires_ns);
    query_u64(&q, u->disabled);
    query_blob(&q, u->salt);
    query_u64(&q, u->rounds);
    query_text(&q, u->credential_issued_by);
    query_text(&q, u->created_by);
    query_u64(&q, u->created_ns);
    return query_run(&q);
}

static StoreUser take_user(Query *q)
{
    StoreUser u = { .name = query_take(q) };

    u.kind = (IdentityKind)query_take_u64(q);
    u.owner = query_take(q);
    u.purpose = query_take(q);
    u.expires_ns = query_take_u64(q);
    u.disabled = query_take_u64(q) != 0;
    u.salt = query_take(q);
    u.rounds = (uint32_t)query_take_u64(q);
    u.credential_issued_by = query_take(q);
    u.created_by = query_take(q);
    u.created_ns = query_take_u64(q);
    return u;
}

static Err copy_user(Arena *a, const StoreUser *from, StoreUser *ret)
{
    *ret = *from;
    TRY(arena_copy(a, from->name, &ret->name));
    TRY(arena_copy(a, from->owner, &ret->owner));
    TRY(arena_copy(a, from->purpose, &ret->purpose));
    TRY(arena_copy(a, from->salt, &ret->salt));
    TRY(arena_copy(a, from->credential_issued_by, &ret->credential_issued_by));
    return arena_copy(a, from->created_by, &ret->created_by);
}

Err store_user_get(Store *s, Bytes name, Arena *a, StoreUser *ret)
{
    Query q = query_begin(s, USER_GET);
    Err err = ERR_MORE;

    query_text(&q, name);
    if (query_next(&q)) {
        const StoreUser u = take_user(&q);
        err = copy_user(a, &u, ret);
    }
    TRY(query_end(&q));
    return err;
}

Err store_user_update(Store *s, const StoreUser *u)
{
    Query q = query_begin(s, USER_UPDATE);

    query_text(&q, u->owner);
    query_text(&q, u->purpose);
    query_u64(&q, u->expires_ns);
    query_u64(&q, u->disabled);
    query_blob(&q, u->salt);
    query_u64(&q, u->rounds);
    query_text(&q, u->credential_issued_by);
    query_text(&q, u->name);
    return query_run(&q);
}

Err store_user_remove(Store *s, Bytes name)
{
    Query q = query_begin(s, USER_REMOVE);

    query_text(&q, name);
    return query_run(&q);
}

Err store_user_each(Store *s, StoreUserFn *fn, void *ctx)
{
    Query q = query_begin(s, USER_ALL);
    Err err = OK;

    while (err == OK && query_next(&q)) {
        const StoreUser u = take_user(&q);
        err = fn(ctx, &u);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

/* --- verifiers ---------------------------------------------------------------------------- */

static const char VERIFIER_ADD[] =
    "INSERT INTO verifier (id, user, kind, stored_key, server_key, lookup, text, expires,"
    " issued_by, created, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
#define VERIFIER_COLUMNS                                                                           \
    "SELECT id, user, kind, stored_key, server_key, lookup, expires, issued_by, created, revoked"  \
    " FROM verifier "
static const char VERIFIER_OF_USER[] = VERIFIER_COLUMNS "WHERE user = ? ORDER BY created";
static const char VERIFIER_ALL[] = VERIFIER_COLUMNS "ORDER BY user, created";
static const char VERIFIER_FIND[] = VERIFIER_COLUMNS "WHERE lookup = ? AND kind = 2";
static const char TOKEN_REVOKE[] =
    "UPDATE verifier SET revoked = ? WHERE text = ? AND kind = 2 AND revoked = 0";
static const char PASSWORD_REMOVE[] = "DELETE FROM verifier WHERE user = ? AND kind = 1";

Err store_verifier_add(Store *s, const StoreVerifier *v)
{
    const IdText text = id_text('t', &v->id);
    Query q = query_begin(s, VERIFIER_ADD);

    query_blob(&q, VIEW(v->id.bytes));
    query_text(&q, v->user);
    query_u64(&q, (uint64_t)v->kind);
    query_blob(&q, VIEW(v->stored_key.bytes));
    query_blob(&q, VIEW(v->server_key.bytes));
    query_blob(&q, VIEW(v->lookup.bytes));
    query_text(&q, text_of(text.text));
    query_u64(&q, v->expires_ns);
    query_text(&q, v->issued_by);
    query_u64(&q, v->created_ns);
    query_u64(&q, v->revoked_ns);
    return query_run(&q);
}

static StoreVerifier take_verifier(Query *q)
{
    StoreVerifier v = { .id = query_take_id(q) };

    v.user = query_take(q);
    v.kind = (VerifierKind)query_take_u64(q);
    v.stored_key = query_take_key(q);
    v.server_key = query_take_key(q);
    v.lookup = query_take_key(q);
    v.expires_ns = query_take_u64(q);
    v.issued_by = query_take(q);
    v.created_ns = query_take_u64(q);
    v.revoked_ns = query_take_u64(q);
    return v;
}

Err store_verifier_each(Store *s, Bytes user, StoreVerifierFn *fn, void *ctx)
{
    Query q = query_begin(s, user.len > 0 ? VERIFIER_OF_USER : VERIFIER_ALL);
    Err err = OK;

    if (user.len > 0)
        query_text(&q, user);
    while (err == OK && query_next(&q)) {
        const StoreVerifier v = take_verifier(&q);
        err = fn(ctx, &v);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

Err store_verifier_find(Store *s, const PackKey *lookup, Arena *a, StoreVerifier *ret)
{
    Query q = query_begin(s, VERIFIER_FIND);
    Err err = ERR_MORE;

    query_blob(&q, VIEW(lookup->bytes));
    if (query_next(&q)) {
        *ret = take_verifier(&q);
        err = arena_copy(a, ret->user, &ret->user);
        if (err == OK)
            err = arena_copy(a, ret->issued_by, &ret->issued_by);
    }
    TRY(query_end(&q));
    return err;
}

Err store_token_revoke(Store *s, Bytes text, uint64_t now_ns)
{
    Query q = query_begin(s, TOKEN_REVOKE);
    uint64_t changed;

    query_u64(&q, now_ns);
    query_text(&q, text);
    TRY(query_changed(&q, &changed));
    return changed > 0 ? OK : ERR_MORE;
}

Err store_password_remove(Store *s, Bytes user)
{
    Query q = query_begin(s, PASSWORD_REMOVE);

    query_text(&q, user);
    return query_run(&q);
}

/* --- groups ------------------------------------------------------------------------------- */

static const char GROUP_ADD[] =
    "INSERT INTO group_member (user, name) VALUES (?, ?) ON CONFLICT DO NOTHING";
static const char GROUPS_CLEAR[] = "DELETE FROM group_member WHERE user = ?";
static const char GROUPS_OF[] = "SELECT name FROM group_member WHERE user = ? ORDER BY name";

Err store_group_add(Store *s, Bytes user, Bytes group)
{
    Query q = query_begin(s, GROUP_ADD);

    query_text(&q, user);
    query_text(&q, group);
    return query_run(&q);
}

Err store_groups_clear(Store *s, Bytes user)
{
    Query q = query_begin(s, GROUPS_CLEAR);

    query_text(&q, user);
    return query_run(&q);
}

static Err copy_group(Arena *a, Bytes name, Bytes *ret)
{
    CLEANUP(buf_done) Buf whole = { 0 };

    buf_init(&whole, 256);
    TRY(buf_append(&whole, LOCAL));
    TRY(buf_append(&whole, name));
    return arena_copy(a, buf_view(&whole), ret);
}

Err store_groups(Store *s, Bytes user, Arena *a, StoreGroups *ret)
{
    Query q = query_begin(s, GROUPS_OF);
    void *mem;
    size_t count = 0;
    Err err = arena_array(a, GROUPS_MAX, sizeof(Bytes), &mem);
    Bytes *groups = mem;

    query_text(&q, user);
    while (err == OK && query_next(&q))
        err = count < GROUPS_MAX ? copy_group(a, query_take(&q), &groups[count++]) : ERR_LIMIT;
    const Err ended = query_end(&q);
    TRY(err);
    TRY(ended);
    *ret = (StoreGroups){ groups, count };
    return OK;
}
