/* `explain`: how a text would be ruled on for somebody. It goes the way of a session's first
 * command, with a Ruler of its own, up to the ruling: nothing runs, nobody is asked, no decision
 * is written. A question waits until the target's catalogue is known. */
#include "worker/edition.h"

#include "base/text.h"
#include "model/limits.h"
#include "worker/explanation.h"
#include "worker/target.h"

#include <stdlib.h>

enum {
    PATIENCE_MS = 10000,
    EXPLAIN_ARENA = 256 << 10,
    WAITING_MAX = 64,
    ANSWER_MAX = LIMIT_IPC_MESSAGE - 2048, /* room for the heads of two messages around it */
};

typedef struct Explain {
    struct Explain *next;
    uint64_t id; /* of the keeper's question */
    uint64_t deadline_ms;
    Worker *worker;
    Target *target;
    bool read_again; /* the catalogue was read for this text */
    Arena arena;
    Identity who;
    Bytes text;
} Explain;

/* --- answering ---------------------------------------------------------------------------- */

static void reply(const Worker *w, uint64_t id, const ExplainAnswer *answer)
{
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, LIMIT_IPC_MESSAGE - 64);
    if (pack_explain_answer(&body, answer) == OK)
        (void)!channel_reply_to(w->keeper, ASK_EXPLAIN, id, buf_view(&body), -1);
}

static void fail(const Worker *w, uint64_t id, const char *why)
{
    reply(w, id, &(ExplainAnswer){ .why = text_of(why) });
}

static void explain_free(Explain *e)
{
    arena_done(&e->arena);
    free(e);
}

static void take_out(Explain *e)
{
    for (Explain **at = &e->worker->explains; *at != NULL; at = &(*at)->next) {
        if (*at != e)
            continue;
        *at = e->next;
        return;
    }
}

static void give_up(Explain *e, const char *why)
{
    take_out(e);
    fail(e->worker, e->id, why);
    explain_free(e);
}

/* --- judging ------------------------------------------------------------------------------ */

/* There is no session in which anything could have been prepared or declared. */
static bool keeps_nothing(void *state, ReferKind kind, Bytes name, Bytes *ret_text)
{
    (void)state;
    (void)kind;
    (void)name;
    *ret_text = (Bytes){ 0 };
    return false;
}

static const char *unsupported(Bytes text)
{
    const uint8_t nul = 0;

    return text_find(text, (Bytes){ &nul, 1 }) < text.len ? "a NUL byte inside the statement"
                                                          : NULL;
}

/* Who has no role could not sign in, and is told nothing about what the text names. */
static Verdict refuse_stranger(Ruler *r, const Command *command)
{
    static const Meaning NOTHING = { .understood = true };
    const Judgement judgement = { .policy = r->policy,
                                  .identity = r->identity,
                                  .resource = r->resource,
                                  .command = command,
                                  .meaning = &NOTHING,
                                  .schema = r->schema,
                                  .protection = r->protection,
                                  .arena = &r->words };

    return policy_judge(&judgement);
}

static Err rule_on(const Explain *e, Ruler *r, const ProfileView *view, Buf *out)
{
    const Command command = { .kind = COMMAND_STATEMENT,
                              .text = e->text,
                              .unsupported = unsupported(e->text) };
    GateRuling ruling = { 0 };

    search_path_read(view->knowledge->default_path, r->resource->credentials.user, &r->path);
    if (r->role == NULL)
        ruling.verdict = refuse_stranger(r, &command);
    else
        TRY(ruler_judge(r, &command, &ruling));
    const Err err = explanation_write(r, &ruling, out);
    if (ruling.judged != NULL)
        look_drop(ruling.judged);
    return err;
}

/* ERR_MORE: the text names what the catalogue, as it was read, lacks. */
static Err judge(const Explain *e, Buf *out)
{
    static const Proto PROTO = { .name = "explain", .kept = keeps_nothing };
    static const Id NO_SESSION = { { 0 } };
    Worker *w = e->worker;
    const Policy *policy = &w->edition->config.policy;
    const Resource *resource = target_resource(e->target);
    const Role *role = policy_role(policy, &e->who, resource);
    ProfileView *view;

    TRY(target_view(e->target, role != NULL ? policy_profile(policy, role->masking) : NULL, &view));
    Ruler r = { .policy = policy,
                .role = role,
                .resource = resource,
                .identity = &e->who,
                .session = &NO_SESSION,
                .proto = &PROTO,
                .cache = &w->looks,
                .schema = view->knowledge->schema,
                .protection = view->protection,
                .read_again = e->read_again };
    ruler_init(&r, w->hash_key);
    const Err err = rule_on(e, &r, view, out);
    ruler_done(&r);
    view_drop(view);
    return err;
}

static void settle(Explain *e)
{
    CLEANUP(buf_done) Buf json = { 0 };

    buf_init(&json, ANSWER_MAX);
    const Err err = judge(e, &json);
    if (err == ERR_MORE && !e->read_again) {
        e->read_again = true;
        target_refresh(e->target);
        return;
    }
    if (err != OK) {
        give_up(e, "the statement is too long or too deep to be explained");
        return;
    }
    take_out(e);
    reply(e->worker, e->id, &(ExplainAnswer){ .ok = 1, .json = buf_view(&json) });
    explain_free(e);
}

/* --- questions ---------------------------------------------------------------------------- */

static Err copy_groups(Arena *a, PackList list, Identity *ret)
{
    PackList walk = list;
    Bytes group;
    size_t count = 0;
    void *mem;

    while (pack_next(&walk, &group))
        count++;
    TRY(arena_array(a, count, sizeof(Bytes), &mem));
    Bytes *groups = mem;
    for (size_t i = 0; i < count && pack_next(&list, &group); i++)
        TRY(arena_copy(a, group, &groups[i]));
    ret->groups = groups;
    ret->group_count = count;
    return OK;
}

static Err take(Explain *e, const ExplainAsk *ask)
{
    arena_init(&e->arena, EXPLAIN_ARENA);
    e->who.kind = (IdentityKind)ask->identity_kind;
    TRY(arena_copy(&e->arena, ask->name, &e->who.name));
    TRY(arena_copy(&e->arena, ask->owner, &e->who.owner));
    TRY(copy_groups(&e->arena, ask->groups, &e->who));
    return arena_copy(&e->arena, ask->text, &e->text);
}

static bool is_full(const Worker *w)
{
    size_t count = 0;

    for (const Explain *e = w->explains; e != NULL; e = e->next)
        count++;
    return count >= WAITING_MAX;
}

static Explain *explain_new(Worker *w, uint64_t id, const ExplainAsk *ask)
{
    Target *target = target_of(w, ask->resource);
    Explain *e = target != NULL && !is_full(w) ? calloc(1, sizeof *e) : NULL;

    if (e == NULL)
        return NULL;
    e->id = id;
    e->worker = w;
    e->target = target;
    e->deadline_ms = now_ms(w) + PATIENCE_MS;
    if (take(e, ask) == OK)
        return e;
    explain_free(e);
    return NULL;
}

void explain_asked(Worker *w, const ChannelMessage *m)
{
    ExplainAsk ask;

    if (unpack_explain_ask(m->body, &ask) != OK)
        return;
    Explain *e = explain_new(w, m->id, &ask);
    if (e == NULL) {
        fail(w, m->id, "at capacity; try again later");
        return;
    }
    e->next = w->explains;
    w->explains = e;
    if (target_is_fresh(e->target))
        settle(e);
    else
        target_refresh(e->target);
}

void explains_known(const Target *t)
{
    Worker *w = t->worker;

    for (Explain *e = w->explains, *next; e != NULL; e = next) {
        next = e->next;
        if (e->target == t)
            settle(e);
    }
}

void explains_give_up(const Target *t)
{
    Worker *w = t->worker;

    for (Explain *e = w->explains, *next; e != NULL; e = next) {
        next = e->next;
        if (e->target == t)
            give_up(e, "CHP-5101: the target cannot be reached, so its catalogue is not known");
    }
}

void explains_tick(Worker *w)
{
    for (Explain *e = w->explains, *next; e != NULL; e = next) {
        next = e->next;
        if (now_ms(w) >= e->deadline_ms)
            give_up(e, "CHP-5101: the target's catalogue could not be read in time");
    }
}

void explains_forget(Worker *w)
{
    while (w->explains != NULL) {
        Explain *e = w->explains;

        w->explains = e->next;
        explain_free(e);
    }
}
