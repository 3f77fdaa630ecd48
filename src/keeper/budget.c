#include "keeper/budget.h"

#include "base/text.h"
#include "keeper/keeper_state.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES = 128, /* sign-in takes no longer ones */
    ACCOUNTS_MAX = 1 << 20,
    SESSIONS_MAX = 1 << 20,
    LOOK_ARENA = 64 << 10,
};

static const uint64_t HOUR_NS = UINT64_C(3600) * 1000000000;
static const uint64_t DAY_NS = UINT64_C(86400) * 1000000000;
static const uint64_t WRITE_EVERY_NS = UINT64_C(5) * 1000000000;
static const uint64_t BYTES_MAX = UINT64_C(1) << 60; /* sums of two stay below the store's 2^63 */

struct BudgetAccount {
    char user[NAME_BYTES], resource[NAME_BYTES];
    StoreRecorded row; /* views of the two */
    bool dirty;
};

struct BudgetSession {
    BudgetSession *previous, *next;
    Id id, writer;
    BudgetAccount *account;
    uint64_t counted; /* of its bytes, in the account */
    bool dirty;
};

uint64_t budget_day(const Keeper *k)
{
    return k->now.unix_ns / DAY_NS;
}

/* --- accounts ----------------------------------------------------------------------------- */

/* A clock that is set back does not give a budget anew. */
static void roll(const Keeper *k, StoreRecorded *row)
{
    const uint64_t hour = k->now.unix_ns / HOUR_NS;

    if (hour > row->hour) {
        row->hour = hour;
        row->hour_bytes = 0;
    }
    if (budget_day(k) > row->day) {
        row->day = budget_day(k);
        row->day_bytes = 0;
    }
}

static Err put_key(Buf *key, Bytes user, Bytes resource)
{
    buf_init(key, 2 * NAME_BYTES + 1);
    TRY(buf_append(key, user));
    TRY(buf_byte(key, 0));
    return buf_append(key, resource);
}

static Err new_account(Budgets *b, Bytes key, const StoreRecorded *row, BudgetAccount **ret)
{
    BudgetAccount *a = calloc(1, sizeof *a);

    if (a == NULL)
        return ERR_LIMIT;
    memcpy(a->user, row->user.ptr, row->user.len);
    memcpy(a->resource, row->resource.ptr, row->resource.len);
    a->row = *row;
    a->row.user = (Bytes){ (const uint8_t *)a->user, row->user.len };
    a->row.resource = (Bytes){ (const uint8_t *)a->resource, row->resource.len };
    const Err err = map_put(&b->accounts, key, a, NULL);
    if (err != OK) {
        free(a);
        return err;
    }
    *ret = a;
    return OK;
}

static Err account_of(Keeper *k, const StoreRecorded *row, BudgetAccount **ret)
{
    CLEANUP(buf_done) Buf key = { 0 };

    if (row->user.len == 0 || row->user.len >= NAME_BYTES || row->resource.len == 0 ||
        row->resource.len >= NAME_BYTES)
        return ERR_LIMIT;
    TRY(put_key(&key, row->user, row->resource));
    *ret = map_get(&k->budgets.accounts, buf_view(&key));
    if (*ret == NULL)
        TRY(new_account(&k->budgets, buf_view(&key), row, ret));
    roll(k, &(*ret)->row);
    return OK;
}

static Err load_one(void *ctx, const StoreRecorded *row)
{
    BudgetAccount *a;

    return account_of(ctx, row, &a);
}

Err budgets_open(Keeper *k)
{
    uint8_t random[16];

    random_fill(random, sizeof random);
    map_init(&k->budgets.accounts, ACCOUNTS_MAX, siphash_key(random));
    map_init(&k->budgets.sessions, SESSIONS_MAX, siphash_key(random));
    TRY(store_recorded_forget(k->store, budget_day(k)));
    return store_recorded_each(k->store, load_one, k);
}

static void forget(Budgets *b, BudgetSession *s)
{
    (void)map_remove(&b->sessions, VIEW(s->id.bytes));
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        b->first = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    free(s);
}

void budgets_done(Budgets *b)
{
    size_t at = 0;
    void *account;
    Bytes key;

    while (b->first != NULL)
        forget(b, b->first);
    while (map_next(&b->accounts, &at, &key, &account))
        free(account);
    map_done(&b->accounts);
    map_done(&b->sessions);
}

/* --- sessions ----------------------------------------------------------------------------- */

/* ERR_MORE: no such session lives in that worker. */
static Err session_of(Keeper *k, const Id *id, const Id *writer, BudgetSession **ret)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    Budgets *b = &k->budgets;
    StoreSession row;

    *ret = map_get(&b->sessions, VIEW(id->bytes));
    if (*ret != NULL)
        return id_eq(&(*ret)->writer, writer) ? OK : ERR_MALFORMED;
    arena_init(&arena, LOOK_ARENA);
    TRY(keeper_session(k, id, writer, &arena, &row));
    const StoreRecorded fresh = { .user = row.user, .resource = row.resource };
    BudgetSession *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_LIMIT;
    *s = (BudgetSession){ .id = *id, .writer = *writer, .counted = row.recorded };
    Err err = account_of(k, &fresh, &s->account);
    if (err == OK)
        err = map_put(&b->sessions, VIEW(s->id.bytes), s, NULL);
    if (err != OK) {
        free(s);
        return err;
    }
    s->next = b->first;
    if (s->next != NULL)
        s->next->previous = s;
    b->first = s;
    *ret = s;
    return OK;
}

void budget_session_gone(Keeper *k, const Id *session)
{
    BudgetSession *s = map_get(&k->budgets.sessions, VIEW(session->bytes));

    if (s == NULL)
        return;
    if (s->dirty && store_session_recorded(k->store, &s->id, s->counted) != OK)
        log_line(LOG_WARN, "budget", "what a session recorded is not kept: %s",
                 store_why(k->store));
    forget(&k->budgets, s);
}

void budget_writer_gone(Keeper *k, const Id *writer)
{
    for (BudgetSession *s = k->budgets.first, *next; s != NULL; s = next) {
        next = s->next;
        if (id_eq(&s->writer, writer))
            budget_session_gone(k, &s->id);
    }
}

/* --- telling ------------------------------------------------------------------------------ */

/* `s` NULL: nobody of that worker is answered. */
static Err tell(KeeperPeer *peer, const StoreRecorded *row, const BudgetSession *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    Budget m = { .user = row->user,
                 .resource = row->resource,
                 .hour = row->hour,
                 .hour_bytes = row->hour_bytes,
                 .day = row->day,
                 .day_bytes = row->day_bytes };

    if (peer->channel == NULL)
        return OK;
    if (s != NULL) {
        m.session = s->id;
        m.bytes = s->counted;
    }
    buf_init(&body, 1024);
    TRY(pack_budget(&body, &m));
    return channel_tell(peer->channel, ASK_BUDGET, buf_view(&body), -1);
}

Err budget_tell(KeeperPeer *peer, const Id *session)
{
    BudgetSession *s;

    TRY(session_of(peer->keeper, session, &peer->writer, &s));
    return tell(peer, &s->account->row, s);
}

static void tell_others(Keeper *k, const KeeperPeer *but, const StoreRecorded *row)
{
    for (KeeperPeer *p = k->peers; p != NULL; p = p->next)
        if (p != but && p->party == PARTY_WORKER && !p->gone && tell(p, row, NULL) != OK)
            log_line(LOG_WARN, "budget", "worker %u could not be told", p->slot);
}

/* --- counting ----------------------------------------------------------------------------- */

static bool used_up(const Keeper *k, const StoreRecorded *row)
{
    const RecordingBudget *limit = &k->edition->config.recording.budget;

    return row->hour_bytes >= limit->hour || row->day_bytes >= limit->day;
}

bool budget_refuses(Keeper *k, Bytes user, Bytes resource, Arena *a, Bytes *ret_why)
{
    CLEANUP(buf_done) Buf why = { 0 };
    const StoreRecorded fresh = { .user = user, .resource = resource };
    const RecordingBudget *limit = &k->edition->config.recording.budget;
    BudgetAccount *account;

    if (resource.len == 0 || account_of(k, &fresh, &account) != OK)
        return false; /* nothing of that name can be opened */
    const bool day = account->row.day_bytes >= budget_end(limit->day);
    if (!day && account->row.hour_bytes < budget_end(limit->hour))
        return false;
    buf_init(&why, 1024);
    if (text_format(&why,
                    "the recording budget of %s on %s is used up and more, and no session of "
                    "theirs begins until %02u:00 UTC",
                    account->user, account->resource,
                    day ? 0 : (unsigned)((account->row.hour + 1) % 24)) != OK ||
        arena_copy(a, buf_view(&why), ret_why) != OK)
        *ret_why = LIT("the recording budget is used up");
    return true;
}

static void count(Keeper *k, BudgetSession *s, uint64_t bytes)
{
    StoreRecorded *row = &s->account->row;
    const uint64_t more = bytes - s->counted;

    roll(k, row);
    row->hour_bytes = row->hour_bytes < BYTES_MAX ? row->hour_bytes + more : BYTES_MAX;
    row->day_bytes = row->day_bytes < BYTES_MAX ? row->day_bytes + more : BYTES_MAX;
    s->counted = bytes;
    s->dirty = s->account->dirty = k->budgets.dirty = true;
}

Err budget_recorded(KeeperPeer *peer, Bytes body)
{
    Keeper *k = peer->keeper;
    BudgetSession *s;
    Recorded m;

    TRY(unpack_recorded(body, &m));
    const Err known = session_of(k, &m.session, &peer->writer, &s);
    if (known == ERR_MORE)
        return OK; /* ended, as we thought, while this was under way */
    TRY(known);
    if (m.bytes < s->counted || m.bytes > BYTES_MAX)
        return ERR_MALFORMED;
    roll(k, &s->account->row);
    const bool before = used_up(k, &s->account->row);
    count(k, s, m.bytes);
    TRY(tell(peer, &s->account->row, s));
    if (before || !used_up(k, &s->account->row))
        return OK;
    log_line(LOG_WARN, "budget", "the recording budget of %s on %s is used up", s->account->user,
             s->account->resource);
    tell_others(k, peer, &s->account->row);
    if (budgets_write(k) != OK)
        log_line(LOG_ERROR, "budget", "it is not kept: %s", store_why(k->store));
    return OK;
}

/* --- keeping ------------------------------------------------------------------------------ */

static Err write_rows(Keeper *k)
{
    Budgets *b = &k->budgets;
    size_t at = 0;
    void *value;
    Bytes key;

    while (map_next(&b->accounts, &at, &key, &value)) {
        const BudgetAccount *a = value;

        if (a->dirty)
            TRY(store_recorded_put(k->store, &a->row));
    }
    for (const BudgetSession *s = b->first; s != NULL; s = s->next)
        if (s->dirty)
            TRY(store_session_recorded(k->store, &s->id, s->counted));
    return OK;
}

static void wash(Budgets *b)
{
    size_t at = 0;
    void *value;
    Bytes key;

    while (map_next(&b->accounts, &at, &key, &value))
        ((BudgetAccount *)value)->dirty = false;
    for (BudgetSession *s = b->first; s != NULL; s = s->next)
        s->dirty = false;
    b->dirty = false;
}

Err budgets_write(Keeper *k)
{
    if (!k->budgets.dirty)
        return OK;
    TRY(store_begin(k->store));
    Err err = write_rows(k);
    if (err == OK)
        err = store_commit(k->store);
    store_rollback(k->store);
    TRY(err);
    wash(&k->budgets);
    return OK;
}

Err budgets_tick(Keeper *k)
{
    Budgets *b = &k->budgets;

    if (k->now.mono_ns - b->written_mono_ns < WRITE_EVERY_NS)
        return OK;
    b->written_mono_ns = k->now.mono_ns;
    return budgets_write(k);
}
