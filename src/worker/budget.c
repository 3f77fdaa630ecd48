/* What may still be recorded: for an identity on a resource, and for an answer when the journal's
 * volume is nearly full.
 *
 *     record ──▶ uncounted ── RECORDED, at 256 KiB or after 1 s ──▶ keeper
 *                    └──▶ sums of all sessions ◀── BUDGET ──────────┘
 *
 * What the keeper has not said to be in its sums is added to them, never left out.
 * Used up: the next statement is refused, and rows that are streaming are stopped: the target is
 * told to cancel, what still comes is dropped. An answer is everything up to ReadyForQuery. */
#include "worker/edition.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    REPORT_BYTES = 256 << 10,
    REPORT_MS = 1000,
    ANSWER_MAX = 256 << 10, /* of record, while the volume is at DISK_READS */
};

static const uint64_t HOUR_NS = UINT64_C(3600) * 1000000000;
static const uint64_t DAY_NS = UINT64_C(86400) * 1000000000;

/* One identity on one resource, for all of its sessions in this worker. */
struct Account {
    struct Account *next;
    size_t sessions;
    Bytes user; /* in `names` */
    const Target *target;
    uint64_t hour, hour_bytes, day, day_bytes; /* as the keeper told last */
    uint64_t uncounted; /* of its sessions: not in those sums, or not known to be */
    uint64_t left;      /* the same of sessions that are gone, until the keeper tells again */
    uint8_t names[];
};

/* --- accounts ------------------------------------------------------------------------------- */

static Account *account_of(const Worker *w, Bytes user, const Target *target)
{
    for (Account *a = w->accounts; a != NULL; a = a->next)
        if (a->target == target && text_eq(a->user, user))
            return a;
    return NULL;
}

Err budget_open(Session *s)
{
    Worker *w = s->worker;
    const Bytes user = s->who.name;

    s->account = account_of(w, user, s->target);
    if (s->account == NULL) {
        Account *a = calloc(1, sizeof *a + user.len);

        if (a == NULL)
            return ERR_LIMIT;
        memcpy(a->names, user.ptr, user.len);
        a->user = (Bytes){ a->names, user.len };
        a->target = s->target;
        a->next = w->accounts;
        s->account = w->accounts = a;
    }
    s->account->sessions++;
    return OK;
}

static void forget(Worker *w, Account *a)
{
    Account **at = &w->accounts;

    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    free(a);
}

Err budget_move(Session *s, Target *to)
{
    Account *from = s->account;
    Target *before = s->target;
    const uint64_t open = s->bytes - s->bytes_counted;

    s->target = to;
    if (budget_open(s) != OK) {
        s->target = before;
        s->account = from;
        return ERR_LIMIT;
    }
    s->account->uncounted += open;
    from->uncounted -= open;
    if (--from->sessions == 0)
        forget(s->worker, from);
    return OK;
}

void budget_close(Session *s)
{
    if (s->account == NULL)
        return;
    budget_report(s);
    s->account->uncounted -= s->bytes - s->bytes_counted;
    s->account->left += s->bytes - s->bytes_counted;
    if (--s->account->sessions == 0)
        forget(s->worker, s->account);
    s->account = NULL;
}

/* --- counting ------------------------------------------------------------------------------- */

void budget_wrote(Session *s, uint64_t bytes)
{
    s->bytes += bytes;
    s->account->uncounted += bytes;
}

/* Its last bytes are written down at the end of the turn. */
void budget_answered(Session *s)
{
    s->answered = true;
}

void budget_report(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Recorded m = { s->id, s->bytes };

    buf_init(&body, 64);
    if (s->bytes == s->bytes_reported || pack_recorded(&body, &m) != OK ||
        channel_tell(s->worker->keeper, ASK_RECORDED, buf_view(&body), -1) != OK)
        return; /* next time */
    s->bytes_reported = s->bytes;
}

void budget_tick(Worker *w)
{
    if (now_ms(w) - w->reported_ms < REPORT_MS)
        return;
    w->reported_ms = now_ms(w);
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->account != NULL)
            budget_report(s);
}

/* What the old keeper heard last may be lost with it: all of it is said again. */
void budget_say_again(Worker *w)
{
    for (Session *s = w->sessions; s != NULL; s = s->next) {
        if (s->account == NULL)
            continue;
        s->account->uncounted += s->bytes_counted;
        s->bytes_reported = s->bytes_counted = 0;
        budget_report(s);
    }
}

void budget_told(Worker *w, const Budget *m)
{
    Session *s = id_is_zero(&m->session) ? NULL : session_by_id(w, &m->session);
    const Target *target = target_of(w, m->resource);
    Account *a = target != NULL ? account_of(w, m->user, target) : NULL;

    if (a == NULL)
        return; /* nobody of that name is here, or not any more */
    a->hour = m->hour;
    a->hour_bytes = m->hour_bytes;
    a->day = m->day;
    a->day_bytes = m->day_bytes;
    a->left = 0;
    if (s == NULL || s->account != a || m->bytes > s->bytes || m->bytes < s->bytes_counted)
        return;
    a->uncounted -= m->bytes - s->bytes_counted;
    s->bytes_counted = m->bytes;
}

/* --- judging -------------------------------------------------------------------------------- */

static Err put_size(uint64_t bytes, Buf *out)
{
    const unsigned long long n = bytes;

    if (n >= 1ull << 30)
        return text_format(out, "%llu.%llu GiB", n >> 30, ((n >> 20) & 1023) * 10 / 1024);
    if (n >= 1ull << 20)
        return text_format(out, "%llu.%llu MiB", n >> 20, ((n >> 10) & 1023) * 10 / 1024);
    return text_format(out, "%llu KiB", n >> 10);
}

typedef struct Use {
    uint64_t bytes, limit;
    const char *what;
    unsigned reset_hour; /* of the day, UTC */
} Use;

static Err put_use(const Session *s, const Use *u, Buf *out)
{
    TRY(text_format(out, "the recording budget of %.*s on %.*s is used up, ", SHOW(s->who.name),
                    SHOW(target_resource(s->target)->name)));
    TRY(put_size(u->bytes, out));
    TRY(text_format(out, " of "));
    TRY(put_size(u->limit, out));
    return text_format(out, " %s, until %02u:00 UTC", u->what, u->reset_hour);
}

static bool is_used_up(const Session *s, Use *ret)
{
    const Account *a = s->account;
    const RecordingBudget *limit = &s->worker->edition->config.recording.budget;
    const uint64_t open = a->uncounted + a->left;
    const uint64_t now = s->worker->now.unix_ns, hour = now / HOUR_NS, day = now / DAY_NS;

    *ret = (Use){ .bytes = (day > a->day ? 0 : a->day_bytes) + open,
                  .limit = limit->day,
                  .what = "today" };
    if (ret->bytes >= ret->limit)
        return true;
    *ret = (Use){ .bytes = (hour > a->hour ? 0 : a->hour_bytes) + open,
                  .limit = limit->hour,
                  .what = "this hour",
                  .reset_hour = (unsigned)((hour + 1) % 24) };
    return ret->bytes >= ret->limit;
}

static const Fault *refusal(Session *s, const Use *use)
{
    Worker *w = s->worker;

    w->no_budget = (Fault){ .code = CHP_3402,
                            .rule = LIT("recording-budget"),
                            .next = LIT("run it again then, or ask an administrator for more") };
    buf_truncate(&w->words, 0);
    if (put_use(s, use, &w->words) == OK)
        w->no_budget.fact = buf_view(&w->words);
    return &w->no_budget;
}

const Fault *budget_refusal(Session *s)
{
    Use use;

    return s->account != NULL && is_used_up(s, &use) ? refusal(s, &use) : NULL;
}

static const Fault *too_large(const Session *s)
{
    static const Fault ANSWER = {
        .code = CHP_3402,
        .rule = LIT_INIT("disk-watermark"),
        .fact = LIT_INIT("the journal's volume is nearly full, and until there is room an answer "
                         "may put 256 KiB into it, no more"),
        .next = LIT_INIT("ask for less at a time, or tell the administrator"),
    };

    return s->worker->disk == DISK_READS && s->bytes - s->bytes_answered > ANSWER_MAX ? &ANSWER
                                                                                      : NULL;
}

static void stop(Session *s, const Fault *fault)
{
    const IdText decision = id_decision(&s->id, s->ruler.decisions + 1);
    bool stopped = false;

    if (gate_stop(&s->gate, fault, text_of(decision.text), &stopped) != OK) {
        session_farewell(s, fault);
        return;
    }
    if (!stopped)
        return;
    s->ruler.decisions++;
    hold_cancel_target(s);
}

void budget_check(Session *s)
{
    const Fault *fault;
    Use use;

    if (s->account == NULL || s->phase != SESSION_OPEN)
        return;
    if (s->answered)
        s->bytes_answered = s->bytes;
    s->answered = false;
    fault = too_large(s);
    const bool used_up = is_used_up(s, &use);
    /* Refusals are written down, too: whoever goes on asking has to go. */
    const bool far_behind = used_up && use.bytes >= budget_end(use.limit);
    if (used_up && (fault == NULL || far_behind))
        fault = refusal(s, &use);
    if (far_behind)
        session_farewell(s, fault);
    else if (fault != NULL)
        stop(s, fault);
    /* Used up here: other workers should know. */
    if (fault != NULL || s->bytes - s->bytes_reported >= REPORT_BYTES)
        budget_report(s);
}
