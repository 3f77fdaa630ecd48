#include "worker/handover.h"

#include "base/text.h"
#include "worker/edition.h"

static void cut(Session *s, Bytes fact)
{
    session_farewell(s, &(Fault){ .code = CHP_3303, .fact = fact, .next = LIT("connect again") });
    session_mark(s);
}

/* The role that it signed in with, and no other: who has another one now connects again. */
static const Role *same_role(const Session *s, const Policy *policy, const Resource *resource)
{
    const Role *role = policy_role(policy, &s->who, resource);

    return role != NULL && text_eq(role->name, s->ruler.role->name) ? role : NULL;
}

static Err renew_view(Session *s)
{
    ProfileView *fresh;

    if (s->view == NULL)
        return OK;
    TRY(target_view(s->target, session_profile(s), &fresh));
    view_drop(s->view);
    s->view = fresh;
    if (s->phase != SESSION_OPEN)
        return OK;
    s->ruler.schema = fresh->knowledge->schema;
    s->ruler.protection = fresh->protection;
    s->pg.phi = resource_is_phi(target_resource(s->target));
    return OK;
}

/* Its rule, its words, its approval are of rules that are gone. */
static void judge_again(Session *s)
{
    if (s->phase != SESSION_OPEN || s->gate.wait != GATE_WAITS_PERSON)
        return;
    if (!s->holding) {
        s->hold_is_stale = true; /* the keeper's answer is on its way */
        return;
    }
    hold_renew(s);
}

static bool same_file(const WorkerEdition *a, Bytes one, const WorkerEdition *b, Bytes other)
{
    return text_eq(public_file(a->public_files, one), public_file(b->public_files, other));
}

/* Nothing that a client's certificate depends on is another: it need not be looked at again. */
static bool same_authorities(const Worker *w)
{
    const WorkerEdition *now = w->edition, *before = now->older;
    const ServerTls *a = &before->config.gateway.tls, *b = &now->config.gateway.tls;

    return hash_eq(&before->policy_hash, &now->policy_hash) &&
           same_file(before, a->client_ca, now, b->client_ca) &&
           same_file(before, a->client_crl, now, b->client_crl);
}

static void cut_certificate(Session *s, const char *wrong)
{
    CLEANUP(buf_done) Buf fact = { 0 };

    buf_init(&fact, 512);
    if (text_format(&fact,
                    "the configuration changed, and the client certificate is not accepted any "
                    "more: %s",
                    wrong) != OK)
        buf_truncate(&fact, 0);
    cut(s, buf_view(&fact));
}

/* Signed in, and no statement yet: whatever the resource's name stands for now will do. */
static bool has_nothing_there(const Session *s)
{
    return s->phase == SESSION_GREETING || s->phase == SESSION_WAITING;
}

static Err move(Session *s, Target *to)
{
    if (to == NULL || to == s->target)
        return OK;
    TRY(budget_move(s, to));
    if (s->phase == SESSION_GREETING)
        greet_begin(s);
    return OK;
}

static void hand_over(Session *s, bool same_rules)
{
    const Worker *w = s->worker;
    const Policy *policy = &w->edition->config.policy;

    if (s->phase == SESSION_ENDING || s->phase == SESSION_DEAD)
        return;
    if (!s->recorded) {
        if (s->target != NULL)
            s->target = target_of(s->worker, s->signin.startup.database);
        return;
    }
    const Resource *was = target_resource(s->target);
    if (has_nothing_there(s) && move(s, target_of(s->worker, was->name)) != OK) {
        session_farewell(s, &(Fault){ .code = CHP_5301 });
        return;
    }
    if (target_of(s->worker, was->name) != s->target) {
        cut(s, LIT("the configuration changed, and this resource is not the same any more"));
        return;
    }
    const Role *role = same_role(s, policy, was);
    if (role == NULL) {
        cut(s, LIT("the configuration changed, and the role of this session is gone"));
        return;
    }
    const char *wrong = same_authorities(w) ? NULL : certificate_refusal(s);
    if (wrong != NULL) {
        cut_certificate(s, wrong);
        return;
    }
    s->ruler.policy = policy;
    s->ruler.resource = target_resource(s->target);
    s->ruler.role = role;
    if (has_nothing_there(s)) {
        greet_known(s);
        return; /* keys and catalogue are asked for with the first statement */
    }
    if (signin_ask_missing_keys(s) != OK || renew_view(s) != OK) {
        session_farewell(s, &(Fault){ .code = CHP_5202 });
        return;
    }
    if (!same_rules)
        judge_again(s);
}

void hand_over_sessions(Worker *w, bool same_rules)
{
    for (Session *s = w->sessions, *next; s != NULL; s = next) {
        next = s->next;
        hand_over(s, same_rules);
    }
}
