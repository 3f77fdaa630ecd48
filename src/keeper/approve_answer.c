/* Who may answer, and what an answer does. */
#include "keeper/approve.h"

#include "base/json_write.h"
#include "base/text.h"

#include <string.h>

enum { ANSWER_MAX = 16 << 10, REASON_MAX = 1024 };

static const uint64_t MS_NS = UINT64_C(1000000);

/* --- who may ------------------------------------------------------------------------------ */

typedef struct Case {
    Keeper *keeper;
    const StoreRequest *request;
    const Approver *by;
} Case;

static bool not_a_person(const Case *c)
{
    return c->by->who.kind != IDENTITY_HUMAN;
}

static bool the_requester(const Case *c)
{
    return text_eq(c->by->who.name, c->request->caller);
}

static bool not_asked(const Case *c)
{
    return !policy_may_approve(&c->keeper->edition->config.policy, c->request->group, &c->by->who);
}

static bool credential_by_requester(const Case *c)
{
    return text_eq(c->by->credential.issued_by, c->request->caller) ||
           text_eq(c->by->user.credential_issued_by, c->request->caller);
}

static bool made_by_requester(const Case *c)
{
    return text_eq(c->by->user.created_by, c->request->caller);
}

static Err find_answer(void *ctx, const StoreAnswer *a)
{
    Bytes *who = ctx;

    if (text_eq(*who, a->who))
        *who = (Bytes){ 0 };
    return OK;
}

static bool has_answered(const Case *c)
{
    Bytes who = c->by->who.name;

    return store_answer_each(c->keeper->store, &c->request->id, find_answer, &who) != OK ||
           who.len == 0;
}

static const struct {
    bool (*holds)(const Case *c);
    const char *why;
} WHY_NOT[] = {
    { not_a_person, "only people may answer" },
    { the_requester, "nobody may answer their own request" },
    { not_asked, "you are not in the group that is asked" },
    { credential_by_requester, "the requester issued or reset your credential" },
    { made_by_requester, "the requester made your account" },
    { has_answered, "you have answered already" },
};

const char *approve_why_not(Keeper *k, const StoreRequest *r, const Approver *by)
{
    const Case c = { k, r, by };

    for (size_t i = 0; i < COUNT_OF(WHY_NOT); i++)
        if (WHY_NOT[i].holds(&c))
            return WHY_NOT[i].why;
    return NULL;
}

/* --- answering ---------------------------------------------------------------------------- */

static Err record_answer(Keeper *k, const StoreRequest *r, const Approver *by, const Reply *reply,
                         Hash *ret_leaf)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    const IdText id = id_text('r', &r->id);

    buf_init(&payload, ANSWER_MAX);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "request", text_of(id.text));
    json_write_string(&j, "outcome", reply->approved ? LIT("approved") : LIT("denied"));
    json_write_string(&j, "who", by->who.name);
    json_write_string(&j, "reason", reply->reason);
    json_write_string(&j, "credential_issued_by", by->credential.issued_by);
    json_write_string(&j, "password_set_by", by->user.credential_issued_by);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_APPROVAL_ANSWER,
                               .actor = by->who.name,
                               .target = r->resource,
                               .about = r->session,
                               .payload = buf_view(&payload),
                               .ruling = reply->approved ? RULING_ALLOW : RULING_DENY,
                               .wait = true };
    return diary_write(&k->diary, &entry, k->now, ret_leaf);
}

static Err count_yes(void *ctx, const StoreAnswer *a)
{
    *(uint32_t *)ctx += a->approved;
    return OK;
}

static void settle(Keeper *k, StoreRequest *r, const Approver *by, const Reply *reply)
{
    /* Told only if that worker is there to use it; else the approval waits for its caller. */
    const bool waits = keeper_worker(k, &r->writer) != NULL;

    r->who = by->who.name;
    r->why = reply->reason;
    r->answered_ns = k->now.unix_ns;
    r->state = !reply->approved ? REQUEST_DENIED : waits ? REQUEST_USED : REQUEST_APPROVED;
    if (r->state == REQUEST_APPROVED)
        r->valid_until_ns = k->now.unix_ns + r->valid_ms * MS_NS;
}

static Err keep_answer(Keeper *k, StoreRequest *r, const Approver *by, const Reply *reply,
                       bool *ret_settled)
{
    const StoreAnswer answer = { by->who.name, reply->approved, reply->reason, k->now.unix_ns };
    uint32_t yes = 0;

    TRY(store_answer_add(k->store, &r->id, &answer));
    TRY(store_answer_each(k->store, &r->id, count_yes, &yes));
    *ret_settled = !reply->approved || yes >= r->count;
    if (!*ret_settled)
        return OK;
    settle(k, r, by, reply);
    return store_request_move(k->store, r, REQUEST_OPEN);
}

static Err apply(Keeper *k, StoreRequest *r, const Approver *by, const Reply *reply)
{
    bool settled = false;
    Hash leaf;

    TRY(record_answer(k, r, by, reply, &leaf));
    memcpy(r->leaf.bytes, leaf.bytes, sizeof r->leaf.bytes);
    TRY(store_begin(k->store));
    Err err = keep_answer(k, r, by, reply, &settled);
    if (err == OK)
        err = store_commit(k->store);
    store_rollback(k->store);
    TRY(err);
    if (settled && r->state != REQUEST_APPROVED)
        approve_tell(k, r, reply->approved ? HOLD_APPROVED : HOLD_DENIED);
    return OK;
}

Err approve_answer(Keeper *k, StoreRequest *r, const Approver *by, const Reply *reply,
                   const char **ret_why)
{
    const Reply bounded = { reply->approved, utf8_upto(reply->reason, REASON_MAX),
                            reply->check_word };

    *ret_why = NULL;
    if (r->state != REQUEST_OPEN || r->deadline_ns <= k->now.unix_ns)
        *ret_why = "the request is not open any more";
    else if (reply->check_word.len > 0 && !text_eq_nocase(reply->check_word, r->check_word))
        *ret_why = "the check word is another one: this is not the request you mean";
    else if (!reply->approved && reply->reason.len == 0)
        *ret_why = "a denial needs a reason";
    else
        *ret_why = approve_why_not(k, r, by);
    return *ret_why != NULL ? ERR_REFUSED : apply(k, r, by, &bounded);
}
