/* People and services: their accounts, passwords and groups. */
#include "keeper/admin_call.h"

#include "base/text.h"
#include "sys/entropy.h"

#include <string.h>

enum { SALT_BYTES = 16, PASSWORD_MIN = 8, ROW_MAX = 32 << 10 };

Err admin_user_argument(AdminRun *run, const char *key, StoreUser *ret)
{
    const Bytes name = admin_argument(run, key);

    if (name.len == 0)
        return admin_fail(run, ADMIN_USAGE, "whose? argument %s is missing", key);
    const Err err = store_user_get(run->keeper->store, name, &run->arena, ret);
    return err == ERR_MORE ? admin_fail(run, ADMIN_FAILED, "there is no such user") : err;
}

/* --- rows --------------------------------------------------------------------------------- */

typedef struct Listing {
    AdminRun *run;
    Arena *arena; /* of one row */
    bool people;  /* else agents */
    uint64_t count;
} Listing;

static Err put_user(Keeper *k, const StoreUser *u, Arena *a, Buf *out)
{
    StoreGroups groups;

    TRY(store_groups(k->store, u->name, a, &groups));
    Json j = json_write_begin(out);
    json_write_object(&j, NULL);
    json_write_string(&j, "name", u->name);
    json_write_string(&j, "kind", text_of(identity_kind_name(u->kind)));
    json_write_string(&j, "state",
                      u->disabled                                             ? LIT("disabled")
                      : u->expires_ns != 0 && u->expires_ns <= k->now.unix_ns ? LIT("expired")
                                                                              : LIT("active"));
    json_write_string(&j, "owner", u->owner);
    json_write_string(&j, "purpose", u->purpose);
    json_write_array(&j, "groups");
    for (size_t i = 0; i < groups.count; i++)
        json_write_string(&j, NULL, groups.at[i]);
    json_write_array_end(&j);
    json_write_u64(&j, "expires_ns", u->expires_ns);
    json_write_string(&j, "password_set_by", u->credential_issued_by);
    json_write_string(&j, "created_by", u->created_by);
    json_write_u64(&j, "created_ns", u->created_ns);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static Err list_one(void *ctx, const StoreUser *u)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    CLEANUP(buf_done) Buf row = { 0 };
    Listing *l = ctx;

    if ((u->kind != IDENTITY_AGENT) != l->people)
        return OK;
    arena_init(&arena, 256 << 10);
    buf_init(&row, ROW_MAX);
    TRY(put_user(l->run->keeper, u, &arena, &row));
    l->count++;
    return admin_part(l->run, buf_view(&row));
}

static Err list(AdminRun *run, bool people)
{
    Listing l = { .run = run, .people = people };

    TRY(store_user_each(run->keeper->store, list_one, &l));
    return text_format(&run->result, "{\"count\":%llu}", (unsigned long long)l.count);
}

Err admin_user_ls(AdminRun *run)
{
    return list(run, true);
}

Err admin_agent_ls(AdminRun *run)
{
    return list(run, false);
}

Err admin_agent_show(AdminRun *run)
{
    StoreUser u;

    TRY(admin_user_argument(run, "name", &u));
    return put_user(run->keeper, &u, &run->arena, &run->result);
}

/* --- making ------------------------------------------------------------------------------- */

static Err fresh_salt(AdminRun *run, StoreUser *u)
{
    uint8_t salt[SALT_BYTES];

    random_fill(salt, sizeof salt);
    return arena_copy(&run->arena, VIEW(salt), &u->salt);
}

static Err add_password(AdminRun *run, const StoreUser *u, Bytes password)
{
    StoreVerifier v = { .user = u->name,
                        .kind = VERIFIER_PASSWORD,
                        .issued_by = run->caller,
                        .created_ns = run->keeper->now.unix_ns };
    ScramVerifier made;

    TRY(scram_verifier_make(password, u->salt, u->rounds, &made));
    random_fill(v.id.bytes, sizeof v.id.bytes);
    memcpy(v.stored_key.bytes, made.stored_key.bytes, sizeof v.stored_key.bytes);
    memcpy(v.server_key.bytes, made.server_key.bytes, sizeof v.server_key.bytes);
    return store_verifier_add(run->keeper->store, &v);
}

static Err set_groups(AdminRun *run, Bytes user)
{
    PackList at = { 0 };
    Bytes group;

    while (admin_next_argument(run, "group", &at, &group)) {
        const Bytes local = LIT("local/");
        const Bytes name = text_starts(group, local) ? bytes_from(group, local.len) : group;

        if (!store_name_valid(name))
            return admin_fail(run, ADMIN_USAGE, "a group's name is 1 to 63 of a-z 0-9 . _ @ -");
        TRY(store_group_add(run->keeper->store, user, name));
    }
    return OK;
}

static Err check_new(AdminRun *run, const StoreUser *u, Bytes password)
{
    if (!store_name_valid(u->name))
        return admin_fail(run, ADMIN_USAGE, "a user's name is 1 to 63 of a-z 0-9 . _ @ -");
    if (u->kind == IDENTITY_NOBODY)
        return admin_fail(run, ADMIN_USAGE, "kind is human, service or agent");
    if (u->kind != IDENTITY_HUMAN && u->owner.len == 0)
        return admin_fail(run, ADMIN_USAGE, "who answers for it? argument owner is missing");
    if (password.len > 0 && (password.len < PASSWORD_MIN || password.len > SCRAM_PASSWORD_MAX))
        return admin_fail(run, ADMIN_USAGE, "a password has %d to %d bytes", PASSWORD_MIN,
                          SCRAM_PASSWORD_MAX);
    return OK;
}

static IdentityKind kind_of(Bytes text)
{
    static const IdentityKind KINDS[] = { IDENTITY_HUMAN, IDENTITY_AGENT, IDENTITY_SERVICE };

    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (text_eq(text, text_of(identity_kind_name(KINDS[i]))))
            return KINDS[i];
    return text.len == 0 ? IDENTITY_HUMAN : IDENTITY_NOBODY;
}

static Err add_rows(AdminRun *run, const StoreUser *u, Bytes password)
{
    const Err err = store_user_add(run->keeper->store, u);

    if (err == ERR_REFUSED)
        return admin_fail(run, ADMIN_FAILED, "the name is taken");
    TRY(err);
    TRY(set_groups(run, u->name));
    return password.len > 0 ? add_password(run, u, password) : OK;
}

static Err add(AdminRun *run, const StoreUser *u, Bytes password)
{
    TRY(store_begin(run->keeper->store));
    Err err = add_rows(run, u, password);
    if (err == OK)
        err = store_commit(run->keeper->store);
    store_rollback(run->keeper->store);
    return err;
}

static Err new_user(AdminRun *run, IdentityKind kind, StoreUser *ret)
{
    *ret = (StoreUser){ .name = admin_argument(run, "name"),
                        .kind = kind,
                        .owner = admin_argument(run, "owner"),
                        .purpose = admin_argument(run, "purpose"),
                        .expires_ns = admin_argument_u64(run, "expires_ns"),
                        .rounds = kind == IDENTITY_HUMAN ? USER_ROUNDS : AGENT_ROUNDS,
                        .created_by = run->caller,
                        .created_ns = run->keeper->now.unix_ns };
    return fresh_salt(run, ret);
}

Err admin_user_add(AdminRun *run)
{
    const Bytes password = admin_argument(run, "password");
    StoreUser u;

    TRY(new_user(run, kind_of(admin_argument(run, "kind")), &u));
    TRY(check_new(run, &u, password));
    if (u.kind != IDENTITY_HUMAN && password.len > 0)
        return admin_fail(run, ADMIN_USAGE, "only people have passwords; give it a token");
    if (password.len > 0)
        u.credential_issued_by = run->caller;
    TRY(add(run, &u, password));
    return admin_result_ok(run);
}

Err admin_agent_add(AdminRun *run)
{
    StoreUser u, owner;
    char token[40];

    TRY(new_user(run, IDENTITY_AGENT, &u));
    TRY(check_new(run, &u, (Bytes){ 0 }));
    TRY(admin_user_argument(run, "owner", &owner));
    if (owner.kind != IDENTITY_HUMAN)
        return admin_fail(run, ADMIN_USAGE, "a person answers for an agent");
    TRY(add(run, &u, (Bytes){ 0 }));
    TRY(admin_make_token(run, &u, u.expires_ns, token));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_string(&j, "name", u.name);
    json_write_string(&j, "token", text_of(token));
    json_write_u64(&j, "expires_ns", u.expires_ns);
    json_write_object_end(&j);
    explicit_bzero(token, sizeof token);
    return json_write_end(&j);
}

/* --- changing ----------------------------------------------------------------------------- */

static Err reset_password(AdminRun *run, StoreUser *u, Bytes password)
{
    Store *s = run->keeper->store;

    TRY(store_password_remove(s, u->name));
    TRY(add_password(run, u, password));
    u->credential_issued_by = run->caller;
    return store_user_update(s, u);
}

Err admin_user_passwd(AdminRun *run)
{
    const Bytes password = admin_argument(run, "password");
    Store *s = run->keeper->store;
    StoreUser u;

    TRY(admin_user_argument(run, "name", &u));
    if (run->who == ADMIN_IDENTITY && !text_eq(u.name, run->caller))
        return admin_fail(run, ADMIN_REFUSED, "only administrators may reset another's password");
    if (u.kind != IDENTITY_HUMAN)
        return admin_fail(run, ADMIN_USAGE, "only people have passwords; give it a token");
    if (password.len == 0)
        return admin_fail(run, ADMIN_USAGE, "the new password is missing");
    TRY(check_new(run, &u, password));
    TRY(store_begin(s));
    Err err = reset_password(run, &u, password);
    if (err == OK)
        err = store_commit(s);
    store_rollback(s);
    TRY(err);
    /* Whoever knew the old one is out. */
    TRY(keeper_cut_fallen(run->keeper));
    return admin_result_ok(run);
}

static Err set_disabled(AdminRun *run, bool disabled)
{
    StoreUser u;

    TRY(admin_user_argument(run, "name", &u));
    u.disabled = disabled;
    TRY(store_user_update(run->keeper->store, &u));
    if (disabled)
        TRY(keeper_kill_sessions(run->keeper, u.name, "the identity was disabled"));
    return admin_result_ok(run);
}

Err admin_user_disable(AdminRun *run)
{
    return set_disabled(run, true);
}

Err admin_user_enable(AdminRun *run)
{
    return set_disabled(run, false);
}

Err admin_agent_pause(AdminRun *run)
{
    return set_disabled(run, true);
}

Err admin_agent_resume(AdminRun *run)
{
    return set_disabled(run, false);
}

Err admin_user_rm(AdminRun *run)
{
    StoreUser u;

    TRY(admin_user_argument(run, "name", &u));
    TRY(store_user_remove(run->keeper->store, u.name));
    TRY(keeper_kill_sessions(run->keeper, u.name, "the identity was removed"));
    return admin_result_ok(run);
}

Err admin_agent_delete(AdminRun *run)
{
    return admin_user_rm(run);
}

static Err replace_groups(AdminRun *run, Bytes user)
{
    TRY(store_groups_clear(run->keeper->store, user));
    return set_groups(run, user);
}

Err admin_user_groups(AdminRun *run)
{
    Store *s = run->keeper->store;
    StoreUser u;

    TRY(admin_user_argument(run, "name", &u));
    TRY(store_begin(s));
    Err err = replace_groups(run, u.name);
    if (err == OK)
        err = store_commit(s);
    store_rollback(s);
    TRY(err);
    /* What a session may do was fixed when it began. */
    TRY(keeper_kill_sessions(run->keeper, u.name, "the identity's groups were changed"));
    return admin_result_ok(run);
}
