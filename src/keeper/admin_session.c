/* Sessions: who, when, to what; and ending one. What they saw is admin_read.c's. */
#include "keeper/admin_session.h"
#include "keeper/admin_call.h"

#include "base/text.h"

enum { ROW_MAX = 16 << 10, LIST_MAX = 1000 };

static Err put_session(const StoreSession *n, Buf *out)
{
    const IdText id = id_text('s', &n->id);
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_string(&j, "id", text_of(id.text));
    json_write_string(&j, "state", n->ended_ns == 0 ? LIT("live") : LIT("ended"));
    json_write_string(&j, "user", n->user);
    json_write_string(&j, "kind", text_of(identity_kind_name(n->kind)));
    json_write_string(&j, "resource", n->resource);
    json_write_string(&j, "server", n->server);
    json_write_string(&j, "peer", n->peer);
    json_write_string(&j, "application", n->application);
    json_write_string(&j, "purpose", n->purpose);
    json_write_string(&j, "certificate_subject", n->certificate_subject);
    json_write_string(&j, "certificate_sha256", n->certificate_sha256);
    json_write_u64(&j, "started_ns", n->started_ns);
    json_write_u64(&j, "ended_ns", n->ended_ns);
    json_write_string(&j, "reason", n->reason);
    json_write_u64(&j, "statements", n->statements);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static bool reviews(const AdminRun *run, Bytes resource)
{
    const Policy *policy = &run->keeper->edition->config.policy;
    const Resource *of = policy_resource(policy, resource);

    return of != NULL && policy_may_review(policy, &run->identity.who, of);
}

bool admin_may_watch(const AdminRun *run, const StoreSession *n)
{
    return run->who == ADMIN_IDENTITY &&
           (text_eq(n->user, run->caller) || reviews(run, n->resource) ||
            policy_may_read_evidence(&run->keeper->edition->config.policy, &run->identity.who));
}

static bool may_know_of(const AdminRun *run, const StoreSession *n)
{
    return run->who == ADMIN_ADMINISTRATOR || admin_may_watch(run, n);
}

typedef struct Listing {
    AdminRun *run;
    uint64_t count;
} Listing;

static Err list_one(void *ctx, const StoreSession *n)
{
    CLEANUP(buf_done) Buf row = { 0 };
    Listing *l = ctx;

    if (!may_know_of(l->run, n))
        return OK;
    buf_init(&row, ROW_MAX);
    TRY(put_session(n, &row));
    l->count++;
    return admin_part(l->run, buf_view(&row));
}

Err admin_session_ls(AdminRun *run)
{
    const SessionFilter filter = { .user = admin_argument(run, "user"),
                                   .live = text_eq(admin_argument(run, "state"), LIT("live")),
                                   .limit = LIST_MAX };
    Listing l = { .run = run };

    TRY(store_session_each(run->keeper->store, &filter, list_one, &l));
    return text_format(&run->result, "{\"count\":%llu}", (unsigned long long)l.count);
}

Err admin_session_find(AdminRun *run, StoreSession *ret)
{
    const Bytes id = admin_argument(run, "id");
    const Err err = store_session_find(run->keeper->store, id, &run->arena, ret);

    if (err == ERR_MORE || (err == OK && !may_know_of(run, ret)))
        return admin_fail(run, ADMIN_FAILED, "there is no such session, or it is not yours to see");
    return err;
}

Err admin_session_show(AdminRun *run)
{
    StoreSession n;

    TRY(admin_session_find(run, &n));
    return put_session(&n, &run->result);
}

Err admin_session_kill(AdminRun *run)
{
    const Bytes reason = admin_argument(run, "reason");
    StoreSession n;

    TRY(admin_session_find(run, &n));
    if (n.ended_ns != 0)
        return admin_fail(run, ADMIN_FAILED, "the session has ended");
    TRY(keeper_kill_session(run->keeper, &n, reason.len > 0 ? reason : LIT("ended by security")));
    return admin_result_ok(run);
}
