/* Tokens: shown once, kept as a verifier. */
#include "keeper/admin_call.h"

#include "base/encode.h"
#include "base/text.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <string.h>

enum { TOKEN_CHARS = 32, TOKEN_RANDOM = 20, ROW_MAX = 8192 };

Err admin_make_token(AdminRun *run, const StoreUser *user, uint64_t expires_ns, char ret_token[40])
{
    Keeper *k = run->keeper;
    uint8_t random[TOKEN_RANDOM];
    StoreVerifier v = { .user = user->name,
                        .kind = VERIFIER_TOKEN,
                        .expires_ns = expires_ns,
                        .issued_by = run->caller,
                        .created_ns = k->now.unix_ns };
    ScramVerifier made;

    random_fill(random, sizeof random);
    (void)snprintf(ret_token, 5, "chp_");
    base32_text(VIEW(random), TOKEN_CHARS, ret_token + 4);
    ret_token[4 + TOKEN_CHARS] = '\0';
    explicit_bzero(random, sizeof random);
    TRY(scram_verifier_make(text_of(ret_token), user->salt, user->rounds, &made));
    random_fill(v.id.bytes, sizeof v.id.bytes);
    memcpy(v.stored_key.bytes, made.stored_key.bytes, sizeof v.stored_key.bytes);
    memcpy(v.server_key.bytes, made.server_key.bytes, sizeof v.server_key.bytes);
    v.lookup = keys_token_lookup(&k->keys, text_of(ret_token));
    TRY(store_verifier_add(k->store, &v));
    return OK;
}

static Err create(AdminRun *run, const StoreUser *user)
{
    char token[40];
    const uint64_t expires = admin_argument_u64(run, "expires_ns");

    TRY(admin_make_token(run, user, expires, token));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_string(&j, "user", user->name);
    json_write_string(&j, "token", text_of(token));
    json_write_u64(&j, "expires_ns", expires);
    json_write_bool(&j, "made_for_another", !text_eq(user->name, run->caller));
    json_write_object_end(&j);
    explicit_bzero(token, sizeof token);
    return json_write_end(&j);
}

Err admin_token_create(AdminRun *run)
{
    StoreUser user = run->identity.user;
    const bool self = run->who == ADMIN_IDENTITY && admin_argument(run, "user").len == 0;

    if (!self)
        TRY(admin_user_argument(run, "user", &user));
    if (run->who == ADMIN_IDENTITY && !text_eq(user.name, run->caller))
        return admin_fail(run, ADMIN_REFUSED, "only administrators may make a token for another");
    return create(run, &user);
}

Err admin_agent_token(AdminRun *run)
{
    StoreUser user;

    TRY(admin_user_argument(run, "name", &user));
    if (user.kind == IDENTITY_HUMAN)
        return admin_fail(run, ADMIN_USAGE, "that is a person; see token create");
    return create(run, &user);
}

/* --- listing ------------------------------------------------------------------------------ */

typedef struct Listing {
    AdminRun *run;
    Bytes search; /* token_revoke: the id looked for */
    bool found;
    uint64_t count;
} Listing;

static const char *state_of(const Keeper *k, const StoreVerifier *v)
{
    if (v->revoked_ns != 0)
        return "revoked";
    return v->expires_ns != 0 && v->expires_ns <= k->now.unix_ns ? "expired" : "active";
}

static Err list_one(void *ctx, const StoreVerifier *v)
{
    CLEANUP(buf_done) Buf row = { 0 };
    Listing *l = ctx;
    const IdText id = id_text('t', &v->id);

    if (v->kind != VERIFIER_TOKEN)
        return OK;
    buf_init(&row, ROW_MAX);
    Json j = json_write_begin(&row);
    json_write_object(&j, NULL);
    json_write_string(&j, "id", text_of(id.text));
    json_write_string(&j, "user", v->user);
    json_write_string(&j, "state", text_of(state_of(l->run->keeper, v)));
    json_write_u64(&j, "expires_ns", v->expires_ns);
    json_write_string(&j, "issued_by", v->issued_by);
    json_write_bool(&j, "made_for_another", !text_eq(v->user, v->issued_by));
    json_write_u64(&j, "created_ns", v->created_ns);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    l->count++;
    return admin_part(l->run, buf_view(&row));
}

Err admin_token_ls(AdminRun *run)
{
    Listing l = { .run = run };
    const Bytes of = run->who == ADMIN_IDENTITY ? run->caller : admin_argument(run, "user");

    TRY(store_verifier_each(run->keeper->store, of, list_one, &l));
    return text_format(&run->result, "{\"count\":%llu}", (unsigned long long)l.count);
}

static Err find_own(void *ctx, const StoreVerifier *v)
{
    Listing *l = ctx;
    const IdText id = id_text('t', &v->id);

    l->found = l->found || text_eq(text_of(id.text), l->search);
    return OK;
}

Err admin_token_revoke(AdminRun *run)
{
    Keeper *k = run->keeper;
    Listing l = { .run = run, .search = admin_argument(run, "id") };
    const Bytes of = run->who == ADMIN_IDENTITY ? run->caller : (Bytes){ 0 };

    TRY(store_verifier_each(k->store, of, find_own, &l));
    const Err err = l.found ? store_token_revoke(k->store, l.search, k->now.unix_ns) : ERR_MORE;
    if (err == ERR_MORE)
        return admin_fail(run, ADMIN_FAILED, "there is no such token, or it was revoked before");
    TRY(err);
    TRY(keeper_cut_fallen(k));
    return admin_result_ok(run);
}
