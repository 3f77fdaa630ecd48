/* Who is at the admin socket: a token or a password says, else the kernel. */
#include "keeper/admin_call.h"

#include "base/text.h"
#include "sys/log.h"
#include "sys/net.h"

#include <string.h>
#include <unistd.h>

/* --- by the kernel's word ----------------------------------------------------------------- */

static bool is_our_own(const Keeper *k, pid_t pid)
{
    if (pid == getpid() || pid == getppid())
        return true;
    for (const KeeperPeer *p = k->peers; p != NULL; p = p->next)
        if (p->pid == (uint32_t)pid)
            return true;
    return false;
}

static Err by_process(AdminRun *run, int fd)
{
    pid_t pid;
    uid_t uid;

    if (fd < 0 || net_peer_process(fd, &pid, &uid) != OK || is_our_own(run->keeper, pid))
        return admin_fail(run, ADMIN_SIGN_IN, "sign in first: CHAPERONE_TOKEN or --token-file");
    if (administrators_name(&run->keeper->administrators, uid, &run->caller) != OK)
        return admin_fail(run, ADMIN_SIGN_IN,
                          "you are not in gateway.admin_users; to act as yourself, sign in with "
                          "CHAPERONE_TOKEN or --token-file");
    run->who = ADMIN_ADMINISTRATOR;
    return OK;
}

/* --- by token or password ----------------------------------------------------------------- */

static Err admit(AdminRun *run, Bytes user)
{
    Keeper *k = run->keeper;
    Approver *who = &run->identity;
    const uint64_t expires = who->credential.expires_ns;
    const bool dead =
        who->credential.revoked_ns != 0 || (expires != 0 && expires <= k->now.unix_ns);

    const Err known = keeper_identity(k, user, &run->arena, &who->who, &who->user);
    if (known == ERR_MORE || (known == OK && dead))
        return admin_fail(run, ADMIN_SIGN_IN,
                          "this token is revoked, expired or its user disabled");
    TRY(known);
    who->who.by_token = who->credential.kind == VERIFIER_TOKEN;
    run->caller = who->who.name;
    run->who = ADMIN_IDENTITY;
    return OK;
}

static Err by_token(AdminRun *run)
{
    Keeper *k = run->keeper;
    const PackKey lookup = keys_token_lookup(&k->keys, run->token);

    const Err err = store_verifier_find(k->store, &lookup, &run->arena, &run->identity.credential);
    if (err == ERR_MORE)
        return admin_fail(run, ADMIN_SIGN_IN, "no such token");
    TRY(err);
    return admit(run, run->identity.credential.user);
}

typedef struct PasswordTrial {
    AdminRun *run;
    const ScramVerifier *made;
    bool held;
} PasswordTrial;

static Err try_password(void *ctx, const StoreVerifier *v)
{
    PasswordTrial *t = ctx;

    if (!secret_eq(VIEW(v->stored_key.bytes), VIEW(t->made->stored_key.bytes)))
        return OK;
    t->held = true;
    t->run->identity.credential = *v;
    TRY(arena_copy(&t->run->arena, v->user, &t->run->identity.credential.user));
    return arena_copy(&t->run->arena, v->issued_by, &t->run->identity.credential.issued_by);
}

/* "user:password". Unknown users cost the same. */
static Err by_password(AdminRun *run, size_t colon)
{
    Keeper *k = run->keeper;
    const Bytes name = bytes_upto(run->token, colon), password = bytes_from(run->token, colon + 1);
    StoreUser user = { .salt = LIT("0123456789abcdef"), .rounds = USER_ROUNDS };
    ScramVerifier made;

    if (signin_is_limited(k, name, LIT("admin")))
        return admin_fail(run, ADMIN_SIGN_IN, "too many failures; wait a minute");
    const Err known = store_user_get(k->store, name, &run->arena, &user);
    if (known != OK && known != ERR_MORE)
        return known;
    PasswordTrial trial = { .run = run, .made = &made };
    const Err err = scram_verifier_make(password, user.salt, user.rounds, &made);
    if (err == OK && known == OK)
        TRY(store_verifier_each(k->store, name, try_password, &trial));
    if (trial.held)
        return admit(run, name);
    signin_count_failure(k, name, LIT("admin"));
    return admin_fail(run, ADMIN_SIGN_IN, "user name or password is wrong");
}

Err admin_sign_in(AdminRun *run, int fd)
{
    if (run->token.len == 0)
        return by_process(run, fd);
    const size_t colon = text_find(run->token, LIT(":"));
    return colon < run->token.len ? by_password(run, colon) : by_token(run);
}
