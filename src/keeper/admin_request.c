/* Requests for approval, as people see and answer them. */
#include "keeper/admin_call.h"

#include "base/text.h"

#include <string.h>

enum { ROW_MAX = 120 << 10, TEXT_MAX = 1 << 20 };

/* --- showing ------------------------------------------------------------------------------ */

static Err put_answer(void *ctx, const StoreAnswer *a)
{
    Json *j = ctx;

    json_write_object(j, NULL);
    json_write_string(j, "who", a->who);
    json_write_bool(j, "approved", a->approved);
    json_write_string(j, "reason", a->reason);
    json_write_u64(j, "at_ns", a->at_ns);
    json_write_object_end(j);
    return OK;
}

static void put_fields(Json *j, const StoreRequest *r)
{
    const IdText id = id_text('r', &r->id), session = id_text('s', &r->session);

    json_write_string(j, "id", text_of(id.text));
    json_write_string(j, "state", text_of(request_state_name(r->state)));
    json_write_string(j, "caller", r->caller);
    json_write_string(j, "kind", text_of(identity_kind_name(r->caller_kind)));
    json_write_string(j, "resource", r->resource);
    json_write_string(j, "rule", r->rule);
    json_write_string(j, "role", r->role);
    json_write_string(j, "fact", r->fact);
    json_write_string(j, "group", r->group);
    json_write_u64(j, "count", r->count);
    json_write_bool(j, "ticket", r->ticket);
    json_write_string(j, "session", text_of(session.text));
    json_write_string(j, "decision", r->decision);
    json_write_u64(j, "created_ns", r->created_ns);
    json_write_u64(j, "deadline_ns", r->deadline_ns);
    json_write_u64(j, "valid_until_ns", r->valid_until_ns);
    json_write_string(j, "who", r->who);
    json_write_string(j, "why", r->why);
}

/* The text may hold PHI: only for who asked and who may answer. A text that does not fit one
 * message is told of, not cut: nobody approves what they did not read. */
static Err put_request(AdminRun *run, const StoreRequest *r, bool with_text, Buf *out)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, TEXT_MAX);
    Json j = json_write_begin(out);
    json_write_object(&j, NULL);
    put_fields(&j, r);
    if (with_text) {
        TRY(approve_text(run->keeper, r, &text));
        json_write_string(&j, "check_word", r->check_word);
        json_write_raw(&j, "what",
                       buf_len(&text) < ROW_MAX - 16384 ? buf_view(&text) : LIT("null"));
    }
    json_write_array(&j, "answers");
    TRY(store_answer_each(run->keeper->store, &r->id, put_answer, &j));
    json_write_array_end(&j);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static bool may_see_text(AdminRun *run, const StoreRequest *r)
{
    const Policy *policy = &run->keeper->edition->config.policy;

    return run->who == ADMIN_IDENTITY &&
           (text_eq(r->caller, run->caller) ||
            policy_may_approve(policy, r->group, &run->identity.who) ||
            policy_may_read_evidence(policy, &run->identity.who));
}

typedef struct Listing {
    AdminRun *run;
    bool to_answer; /* only those that this person may answer */
    uint64_t count;
} Listing;

static Err list_one(void *ctx, const StoreRequest *r)
{
    CLEANUP(buf_done) Buf row = { 0 };
    Listing *l = ctx;

    if (l->to_answer && approve_why_not(l->run->keeper, r, &l->run->identity) != NULL)
        return OK;
    buf_init(&row, ROW_MAX);
    TRY(put_request(l->run, r, l->to_answer, &row));
    l->count++;
    return admin_part(l->run, buf_view(&row));
}

static Err list(AdminRun *run, const RequestFilter *filter, bool to_answer)
{
    Listing l = { .run = run, .to_answer = to_answer };

    TRY(store_request_each(run->keeper->store, filter, list_one, &l));
    return text_format(&run->result, "{\"count\":%llu}", (unsigned long long)l.count);
}

Err admin_approvals(AdminRun *run)
{
    const RequestFilter open = { .states = 1U << REQUEST_OPEN };

    return list(run, &open, true);
}

Err admin_request_ls(AdminRun *run)
{
    RequestFilter filter = { .states = 0 };

    if (run->who == ADMIN_IDENTITY)
        filter.caller = run->caller;
    if (text_eq(admin_argument(run, "state"), LIT("open")))
        filter.states = 1U << REQUEST_OPEN;
    return list(run, &filter, false);
}

/* --- one ---------------------------------------------------------------------------------- */

static Err find(AdminRun *run, StoreRequest *ret)
{
    const Bytes id = admin_argument(run, "id");
    const Err err = store_request_find(run->keeper->store, id, &run->arena, ret);

    return err == ERR_MORE ? admin_fail(run, ADMIN_FAILED, "there is no such request") : err;
}

Err admin_request_show(AdminRun *run)
{
    StoreRequest r;

    TRY(find(run, &r));
    const bool text = may_see_text(run, &r);
    if (run->who == ADMIN_IDENTITY && !text)
        return admin_fail(run, ADMIN_REFUSED, "this request is not yours, nor yours to answer");
    return put_request(run, &r, text, &run->result);
}

Err admin_request_withdraw(AdminRun *run)
{
    StoreRequest r;

    TRY(find(run, &r));
    if (!text_eq(r.caller, run->caller))
        return admin_fail(run, ADMIN_REFUSED, "this request is not yours");
    const Err err = approve_take_back(run->keeper, &r, LIT("withdrawn by the caller"));
    if (err == ERR_MORE)
        return admin_fail(run, ADMIN_FAILED, "the request is not open any more");
    TRY(err);
    return admin_result_ok(run);
}

/* --- answering ---------------------------------------------------------------------------- */

static Err answer(AdminRun *run, bool approved)
{
    const Reply reply = { approved, admin_argument(run, "reason"), admin_argument(run, "check") };
    const char *why;
    StoreRequest r;

    TRY(find(run, &r));
    const Err err = approve_answer(run->keeper, &r, &run->identity, &reply, &why);
    if (err == ERR_REFUSED && why != NULL)
        return admin_fail(run, ADMIN_REFUSED, "%s", why);
    if (err == ERR_MORE)
        return admin_fail(run, ADMIN_FAILED, "the request is not open any more");
    TRY(err);
    return put_request(run, &r, true, &run->result);
}

Err admin_approve(AdminRun *run)
{
    return answer(run, true);
}

Err admin_deny(AdminRun *run)
{
    return answer(run, false);
}
