/* A command that waits for a person: asked, answered, withdrawn.
 *
 *     ask ──▶ WAITING ──▶ approved: ruled on again, runs     denied, expired: refused
 *        └──▶ TICKET, at once or after a while: refused with the request's id; the same command by
 *             the same caller runs once when a person has said yes
 *
 * Client gone, Ctrl-C, deadline, keeper restarted: each ends in one of these. */
#include "worker/edition.h"

#include "base/text.h"
#include "model/limits.h"
#include "record/payload.h"

#include <string.h>

enum { ASK_AGAIN_MS = 3000 };

/* --- the unit that is approved: these exact bytes ------------------------------------------ */

static void add(Hasher *h, Bytes b)
{
    const uint64_t len = b.len;

    hash_add(h, VIEW(len));
    hash_add(h, b);
}

static PackKey unit_of(const Session *s, const Command *c, const Judged *judged)
{
    const Resource *resource = target_resource(s->target);
    Bytes names[RULER_PATH_MAX];
    PackKey unit;
    Hasher h;

    hash_begin(&h);
    add(&h, LIT("chaperone unit 1"));
    add(&h, s->who.name);
    add(&h, resource->name);
    add(&h, resource->database);
    add(&h, s->ruler.role->name);
    add(&h, VIEW(s->worker->edition->policy_hash.bytes));
    const size_t name_count = search_path_names(s->ruler.path, names);
    for (size_t i = 0; i < name_count; i++)
        add(&h, names[i]);
    add(&h, c->text);
    add(&h, judged != NULL ? judged->text : (Bytes){ 0 });
    for (size_t i = 0; i < c->value_count; i++) {
        const uint8_t how[] = { c->values[i].is_null, c->values[i].binary };

        add(&h, VIEW(how));
        add(&h, c->values[i].bytes);
    }
    add(&h, (Bytes){ (const uint8_t *)c->result_formats,
                     c->result_format_count * sizeof *c->result_formats });
    const Hash hash = hash_end(&h);
    memcpy(unit.bytes, hash.bytes, sizeof unit.bytes);
    return unit;
}

/* --- telling the client ------------------------------------------------------------------------
 */

static Err tell_waiting(Session *s, uint64_t waited_ms)
{
    CLEANUP(buf_done) Buf fact = { 0 }, detail = { 0 };
    const Verdict *v = &s->held_verdict;
    const uint64_t left_ms = v->hold.hold_ms - waited_ms;
    const uint64_t after_s = (v->hold.ticket_after_ms + 999) / 1000;

    buf_init(&fact, 1024);
    buf_init(&detail, 4096);
    TRY(text_format(&fact, "%swaiting for approval %s (check word: %.*s) by %.*s, up to ",
                    waited_ms > 0 ? "still " : "", s->held_request.text, SHOW(s->held_check_word),
                    SHOW(v->hold.group)));
    if (v->hold.ticket)
        TRY(text_format(&fact, "%llu s; the request stays open after that",
                        (unsigned long long)after_s));
    else
        TRY(text_format(&fact, "%llu min", (unsigned long long)(left_ms + 59999) / 60000));
    TRY(text_format(&detail, "rule %.*s: %.*s", SHOW(v->rule), SHOW(v->fault.fact)));
    const Fault fault = { .code = CHP_3201,
                          .rule = v->rule,
                          .fact = buf_view(&fact),
                          .detail = buf_view(&detail),
                          .hint = v->hold.ticket ? LIT("run it again once it is approved")
                                                 : LIT("Ctrl-C withdraws the request") };
    return s->gate.proto->notify(s->gate.proto_state, &s->gate.wire, &fault, (Bytes){ 0 });
}

static Err tell_approved(Session *s, const HoldAnswer *a)
{
    CLEANUP(buf_done) Buf fact = { 0 };

    buf_init(&fact, 512);
    TRY(text_format(&fact, "approved by %.*s; running", SHOW(a->who)));
    return s->gate.proto->notify(s->gate.proto_state, &s->gate.wire,
                                 &(Fault){ .code = CHP_3206, .fact = buf_view(&fact) },
                                 (Bytes){ 0 });
}

static MessageCode code_of(HoldState state)
{
    switch (state) {
    case HOLD_TICKET:
        return CHP_3202;
    case HOLD_EXPIRED:
        return CHP_3204;
    case HOLD_WITHDRAWN:
        return CHP_3205;
    case HOLD_REFUSED:
    case HOLD_WAITING:
    case HOLD_APPROVED:
    case HOLD_DENIED:
        break;
    }
    return CHP_3203;
}

static Err put_fact(const HoldAnswer *a, Buf *out)
{
    const IdText id = id_text('r', &a->request);

    switch ((HoldState)a->state) {
    case HOLD_TICKET:
        return text_format(out,
                           "approval needed: request %s (check word: %.*s) is waiting for a "
                           "person",
                           id.text, SHOW(a->check_word));
    case HOLD_EXPIRED:
        return text_format(out, "nobody answered request %s in time", id.text);
    case HOLD_WITHDRAWN:
        return text_format(out, "request %s was withdrawn", id.text);
    case HOLD_REFUSED:
        return text_format(out, "approval cannot be asked for: %.*s", SHOW(a->why));
    case HOLD_WAITING:
    case HOLD_APPROVED:
    case HOLD_DENIED:
        break;
    }
    return text_format(out, "request %s was denied by %.*s: %.*s", id.text, SHOW(a->who),
                       SHOW(a->why));
}

static Err refuse(Session *s, const HoldAnswer *a)
{
    CLEANUP(buf_done) Buf fact = { 0 };
    Fault fault = { .code = code_of((HoldState)a->state), .rule = LIT("approval") };

    buf_init(&fact, 4096);
    TRY(put_fact(a, &fact));
    fault.fact = buf_view(&fact);
    s->ruler.decision = id_decision(&s->id, ++s->ruler.decisions);
    return gate_refuse_held(&s->gate, &fault, text_of(s->ruler.decision.text));
}

static Err run(Session *s, const HoldAnswer *a)
{
    memcpy(s->approval_leaf.bytes, a->approval_leaf.bytes, sizeof s->approval_leaf.bytes);
    s->ruler.approved = true;
    TRY(tell_approved(s, a));
    return gate_resume(&s->gate);
}

/* --- asking --------------------------------------------------------------------------------------
 */

static void settle(Session *s, const HoldAnswer *a)
{
    const Err err = a->state == HOLD_APPROVED ? run(s, a) : refuse(s, a);

    if (err != OK)
        session_farewell(s, &(Fault){ .code = err == ERR_IO ? CHP_5201 : CHP_5401 });
}

void hold_answered(Session *s, const HoldAnswer *a)
{
    if (!s->holding || s->gate.wait != GATE_WAITS_PERSON || !id_eq(&a->request, &s->request))
        return; /* withdrawn meanwhile */
    s->holding = false;
    session_mark(s);
    settle(s, a);
}

static void on_asked(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    HoldAnswer a = { .state = HOLD_REFUSED, .why = LIT("the keeper does not answer") };

    session_mark(s);
    if (s->phase != SESSION_OPEN || s->gate.wait != GATE_WAITS_PERSON)
        return;
    if (m != NULL && unpack_hold_answer(m->body, &a) != OK)
        a = (HoldAnswer){ .state = HOLD_REFUSED };
    s->request = a.request;
    s->held_request = id_text('r', &a.request);
    if (s->hold_is_stale) {
        s->holding = a.state == HOLD_WAITING;
        hold_renew(s);
        return;
    }
    if (a.state != HOLD_WAITING) {
        settle(s, &a);
        return;
    }
    s->holding = true;
    s->ticket_asked_ms = 0;
    s->held_since_ms = now_ms(s->worker);
    s->held_notices = 0;
    if (arena_copy(&s->held_words, a.check_word, &s->held_check_word) != OK ||
        tell_waiting(s, 0) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5301 });
}

static Err pack_ask(Session *s, const Command *c, const GateRuling *ruling, Buf *out)
{
    CLEANUP(buf_done) Buf values = { 0 };
    const Verdict *v = &ruling->verdict;
    const HoldAsk ask = {
        .session = s->id,
        .rule = v->rule,
        .role = s->ruler.role->name,
        .fact = v->fault.fact,
        .text = ruling->judged != NULL ? ruling->judged->text : c->text,
        .unit = unit_of(s, c, ruling->judged),
        .decision = ruling->decision,
        .group = v->hold.group,
        .count = v->hold.count,
        .hold_ms = v->hold.hold_ms,
        .valid_ms = v->hold.valid_ms,
        .ticket = v->hold.ticket,
        .waits = v->hold.ticket_after_ms > 0,
    };
    HoldAsk whole = ask;

    buf_init(&values, LIMIT_HELD_TEXT);
    TRY(payload_values(c, &values));
    whole.values = buf_view(&values);
    return pack_hold_ask(out, &whole);
}

/* Words of the verdict live in the ruling; the answer needs them later. */
static Err keep_verdict(Session *s, const Verdict *v)
{
    arena_done(&s->held_words);
    s->held_verdict = *v;
    TRY(arena_copy(&s->held_words, v->rule, &s->held_verdict.rule));
    TRY(arena_copy(&s->held_words, v->fault.fact, &s->held_verdict.fault.fact));
    return arena_copy(&s->held_words, v->hold.group, &s->held_verdict.hold.group);
}

Err hold_ask(Session *s, const Command *command, const GateRuling *ruling)
{
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, LIMIT_IPC_MESSAGE - 64);
    TRY(keep_verdict(s, &ruling->verdict));
    const Err err =
        command->text.len > LIMIT_HELD_TEXT ? ERR_LIMIT : pack_ask(s, command, ruling, &body);
    if (err == ERR_LIMIT) {
        /* A person reads what is approved; nobody reads this much. */
        s->too_long = true;
        session_mark(s);
        return OK;
    }
    TRY(err);
    return channel_ask(s->worker->keeper, ASK_HOLD, buf_view(&body), on_asked, s);
}

void hold_refuse_long(Session *s)
{
    const HoldAnswer a = { .state = HOLD_REFUSED,
                           .why =
                               LIT("text and values are longer than a person can read (64 KiB)") };

    s->too_long = false;
    settle(s, &a);
}

/* --- reminding -------------------------------------------------------------------------------- */

unsigned hold_notices_due(uint64_t waited_ms)
{
    static const uint64_t AT_MINUTES[] = { 1, 5, 9 };
    unsigned due = 0;

    for (size_t i = 0; i < COUNT_OF(AT_MINUTES); i++)
        due += waited_ms >= AT_MINUTES[i] * 60000;
    return due;
}

/* Somebody who was kept from the clock for long is told once. */
static void remind(Session *s)
{
    const uint64_t waited_ms = now_ms(s->worker) - s->held_since_ms;
    const unsigned due = hold_notices_due(waited_ms);

    if (due <= s->held_notices || waited_ms >= s->held_verdict.hold.hold_ms)
        return;
    s->held_notices = due;
    session_mark(s);
    if (tell_waiting(s, waited_ms) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5301 });
}

/* An agent has waited enough. It is told by the keeper: an answer may be on its way. A keeper that
 * was restarted is asked again. */
static void take_ticket(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const HoldWithdraw ask = { .request = s->request, .ticket = 1 };

    s->ticket_asked_ms = now_ms(s->worker);
    buf_init(&body, 64);
    if (pack_hold_withdraw(&body, &ask) == OK)
        (void)!channel_tell(s->worker->keeper, ASK_HOLD_WITHDRAW, buf_view(&body), -1);
}

static void hold_tick(Session *s)
{
    const HoldTerms *terms = &s->held_verdict.hold;
    const uint64_t now = now_ms(s->worker);

    if (!terms->ticket)
        remind(s);
    else if (now - s->held_since_ms >= terms->ticket_after_ms &&
             now - s->ticket_asked_ms >= ASK_AGAIN_MS)
        take_ticket(s);
}

void holds_tick(Worker *w)
{
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->holding && s->phase == SESSION_OPEN)
            hold_tick(s);
}

/* --- withdrawing ------------------------------------------------------------------------------ */

void hold_withdraw(Session *s, const char *why)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const HoldWithdraw ask = { .request = s->request, .why = text_of(why) };

    s->holding = false;
    buf_init(&body, 1024);
    if (pack_hold_withdraw(&body, &ask) == OK)
        (void)!channel_tell(s->worker->keeper, ASK_HOLD_WITHDRAW, buf_view(&body), -1);
}

/* What was approved already is approved by rules that are gone: it is asked again. */
void hold_renew(Session *s)
{
    if (s->holding)
        hold_withdraw(s, "the rules changed");
    s->hold_is_stale = false;
    session_mark(s);
    if (gate_resume(&s->gate) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5401 });
}

static void on_cancel_dialed(void *ctx, const ChannelMessage *m)
{
    if (m != NULL && m->fd >= 0)
        cancel_upstream(ctx, m->fd);
}

void hold_cancel_target(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const DialAsk dial = { .epoch = s->worker->edition->epoch,
                           .resource = target_index(s->target),
                           .only = text_of(s->route.endpoint) };

    buf_init(&body, 256);
    if (s->phase == SESSION_OPEN && pack_dial(&body, &dial) == OK)
        (void)!channel_ask(s->worker->supervisor, ASK_DIAL, buf_view(&body), on_cancel_dialed, s);
}

static void cancel_session(Session *s)
{
    if (connect_is_under_way(s)) {
        s->cancelled = true; /* nothing of it has gone anywhere: ports.c refuses it */
        return;
    }
    if (s->holding) {
        const HoldAnswer a = { .request = s->request, .state = HOLD_WITHDRAWN };

        hold_withdraw(s, "cancelled by the caller");
        session_mark(s);
        settle(s, &a);
        return;
    }
    hold_cancel_target(s);
}

void hold_cancel(Worker *w, const Cancel *cancel)
{
    CLEANUP(buf_done) Buf body = { 0 };

    if (cancel->slot != w->slot) {
        buf_init(&body, 64 + PG_CANCEL_KEY_MAX);
        if (pack_cancel(&body, cancel) == OK)
            (void)!channel_tell(w->supervisor, ASK_CANCEL, buf_view(&body), -1);
        return;
    }
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->cancel_pid != 0 && s->cancel_pid == cancel->pid && !session_is_over(s) &&
            secret_eq(bytes_upto(VIEW(s->cancel_key), s->cancel_key_bytes), cancel->key)) {
            cancel_session(s);
            return;
        }
}
