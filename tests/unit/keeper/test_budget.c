/* What was recorded by whom, what the store knows of it after a restart, and who wrote the most. */
#include "keeper_room.h"

static const uint64_t HOUR_NS = UINT64_C(3600) * 1000000000;
static const uint64_t MIB = 1 << 20;

static Err record(Room *r, uint8_t session, uint64_t bytes)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Recorded m = { { { session } }, bytes };

    buf_init(&body, 64);
    EXPECT(pack_recorded(&body, &m) == OK);
    return budget_recorded(&r->worker, buf_view(&body));
}

typedef struct Sought {
    const char *user;
    StoreRecorded found;
} Sought;

static Err seek(void *ctx, const StoreRecorded *row)
{
    Sought *s = ctx;

    if (!text_eq(row->user, text_of(s->user)))
        return OK;
    s->found = *row;
    s->found.user = s->found.resource = (Bytes){ 0 };
    return OK;
}

/* As the store has it. */
static StoreRecorded stored(Room *r, const char *user)
{
    Sought s = { .user = user };

    EXPECT(budgets_write(r->k) == OK);
    EXPECT(store_recorded_each(r->k->store, seek, &s) == OK);
    return s.found;
}

static void a_session_is_counted_once(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 7);
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 8);
    (void)room_session(&r, "pat", IDENTITY_HUMAN, 9);
    EXPECT(record(&r, 7, 1000) == OK && record(&r, 7, 1000) == OK && record(&r, 7, 1500) == OK);
    EXPECT(record(&r, 8, 200) == OK && record(&r, 9, 5) == OK);
    EXPECT(stored(&r, "dana").hour_bytes == 1700 && stored(&r, "dana").day_bytes == 1700);
    EXPECT(stored(&r, "pat").hour_bytes == 5);
    EXPECT(record(&r, 7, 1499) == ERR_MALFORMED); /* a record is not taken back */
    EXPECT(record(&r, 7, UINT64_C(1) << 61) == ERR_MALFORMED);
    EXPECT(record(&r, 99, 5) == OK); /* ended meanwhile */
    r.worker.writer = (Id){ { 2 } };
    EXPECT(record(&r, 7, 9999) == ERR_MALFORMED); /* another worker's */
    EXPECT(stored(&r, "dana").hour_bytes == 1700);
    room_close(&r);
}

static void hours_and_days_begin_anew(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 7);
    r.k->now.unix_ns = HOUR_NS * (24 * 30000 + 5);
    EXPECT(record(&r, 7, 100) == OK);
    r.k->now.unix_ns += HOUR_NS - 1;
    EXPECT(record(&r, 7, 200) == OK && stored(&r, "dana").hour_bytes == 200);
    r.k->now.unix_ns += 1;
    EXPECT(record(&r, 7, 250) == OK);
    EXPECT(stored(&r, "dana").hour_bytes == 50 && stored(&r, "dana").day_bytes == 250);
    r.k->now.unix_ns -= 3 * HOUR_NS; /* a clock that is set back gives nothing */
    EXPECT(record(&r, 7, 260) == OK);
    EXPECT(stored(&r, "dana").hour_bytes == 60 && stored(&r, "dana").day_bytes == 260);
    r.k->now.unix_ns += 24 * HOUR_NS;
    EXPECT(record(&r, 7, 300) == OK);
    EXPECT(stored(&r, "dana").hour_bytes == 40 && stored(&r, "dana").day_bytes == 40);
    room_close(&r);
}

static void a_restart_forgets_nothing_of_who_lives(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 7);
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 8);
    EXPECT(record(&r, 7, 1000) == OK && record(&r, 8, 100) == OK);
    EXPECT(budgets_write(r.k) == OK);
    EXPECT(record(&r, 7, 5000) == OK); /* the store does not know of this */
    r.k->budgets.dirty = false;        /* nor does a keeper that is killed tell it */
    room_stop(&r);
    room_start(&r, 0xef);
    room_worker(&r, 0x01);
    EXPECT(record(&r, 7, 5100) == OK && record(&r, 8, 100) == OK);
    EXPECT(stored(&r, "dana").day_bytes == 5200);
    budget_session_gone(r.k, &(Id){ { 7 } });
    budget_writer_gone(r.k, &(Id){ { 1 } });
    EXPECT(r.k->budgets.first == NULL && r.k->budgets.sessions.count == 0);
    room_close(&r);
}

/* Used up is known to the store at once; less is, when it is time. */
static void used_up_is_kept_at_once(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    r.k->edition->config.recording.budget = (RecordingBudget){ .hour = 1000, .day = 4000 };
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 7);
    r.k->budgets.written_mono_ns = r.k->now.mono_ns;
    EXPECT(record(&r, 7, 999) == OK && budgets_tick(r.k) == OK && r.k->budgets.dirty);
    EXPECT(record(&r, 7, 1000) == OK && !r.k->budgets.dirty);
    EXPECT(record(&r, 7, 1001) == OK && budgets_tick(r.k) == OK && r.k->budgets.dirty);
    r.k->now.mono_ns += 5 * SECOND_NS;
    EXPECT(budgets_tick(r.k) == OK && !r.k->budgets.dirty);
    room_close(&r);
}

static void far_behind_nobody_begins_a_session(void)
{
    const RecordingBudget budget = { .hour = 8 * MIB, .day = 64 * MIB };
    Bytes why = { 0 };
    Room r;

    room_open(&r);
    room_people(&r);
    r.k->edition->config.recording.budget = budget;
    (void)room_session(&r, "dana", IDENTITY_HUMAN, 7);
    EXPECT(record(&r, 7, 10 * MIB - 1) == OK); /* 8, an eighth of it and 1 */
    EXPECT(!budget_refuses(r.k, LIT("dana"), LIT("ehr"), &r.arena, &why));
    EXPECT(record(&r, 7, 10 * MIB) == OK);
    EXPECT(budget_refuses(r.k, LIT("dana"), LIT("ehr"), &r.arena, &why) && why.len > 0);
    EXPECT(!budget_refuses(r.k, LIT("dana"), LIT("other"), &r.arena, &why));
    EXPECT(!budget_refuses(r.k, LIT("pat"), LIT("ehr"), &r.arena, &why));
    r.k->now.unix_ns += HOUR_NS;
    EXPECT(!budget_refuses(r.k, LIT("dana"), LIT("ehr"), &r.arena, &why));
    room_close(&r);
}

static void a_level_ends_two_percent_below(void)
{
    static const Watermarks MARKS = { .sessions = 80, .reads = 90 };
    static const struct {
        unsigned percent;
        DiskLevel level;
    } DAY[] = {
        { 0, DISK_NORMAL },    { 79, DISK_NORMAL },   { 80, DISK_SESSIONS }, { 79, DISK_SESSIONS },
        { 78, DISK_NORMAL },   { 79, DISK_NORMAL },   { 89, DISK_SESSIONS }, { 90, DISK_READS },
        { 89, DISK_READS },    { 88, DISK_SESSIONS }, { 89, DISK_SESSIONS }, { 100, DISK_READS },
        { 79, DISK_SESSIONS }, { 95, DISK_READS },    { 78, DISK_NORMAL },   { 90, DISK_READS },
    };
    DiskLevel now = DISK_NORMAL;

    for (size_t i = 0; i < COUNT_OF(DAY); i++) {
        now = watermark_level(&MARKS, now, DAY[i].percent);
        EXPECT(now == DAY[i].level);
    }
}

static bool refused(Room *r, const char *user)
{
    Bytes why = { 0 };
    const bool no = watermark_refuses(r->k, text_of(user), &r->arena, &why);

    EXPECT(no == (why.len > 0));
    return no;
}

static void write_as(Room *r, const char *user, uint8_t session, uint64_t bytes)
{
    (void)room_session(r, user, IDENTITY_HUMAN, session);
    EXPECT(record(r, session, bytes) == OK);
}

static void the_largest_writers_are_the_fewest_with_more_than_half(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    r.k->disk.level = DISK_SESSIONS;
    EXPECT(!refused(&r, "dana")); /* nobody wrote anything */
    write_as(&r, "dana", 7, MIB - 1);
    EXPECT(!refused(&r, "dana")); /* everything there is, and yet next to nothing */
    write_as(&r, "dana", 8, 5 * MIB + 1);
    write_as(&r, "pat", 9, 3 * MIB);
    write_as(&r, "kim", 10, 3 * MIB);
    /* 6 of 12: not more than half. The two that are equal come next, both. */
    EXPECT(refused(&r, "dana") && refused(&r, "pat") && refused(&r, "kim"));
    EXPECT(!refused(&r, "aud"));
    write_as(&r, "dana", 11, MIB);
    EXPECT(refused(&r, "dana") && !refused(&r, "pat") && !refused(&r, "kim"));
    r.k->disk.level = DISK_READS;
    EXPECT(refused(&r, "dana") && !refused(&r, "pat"));
    r.k->disk.level = DISK_NORMAL;
    EXPECT(!refused(&r, "dana"));
    r.k->disk.level = DISK_SESSIONS;
    r.k->now.unix_ns += 24 * HOUR_NS;
    EXPECT(!refused(&r, "dana")); /* that was yesterday */
    room_close(&r);
}

static void a_volume_that_cannot_be_asked_is_a_full_one(void)
{
    Room r;

    room_open(&r);
    r.k->edition->config.recording.watermarks = (Watermarks){ .sessions = 99, .reads = 101 };
    watermark_look(r.k);
    EXPECT(r.k->disk.level == DISK_NORMAL || r.k->disk.percent >= 99);
    const char first = r.k->journal[0];
    r.k->journal[0] = '!';
    watermark_look(r.k);
    EXPECT(r.k->disk.level == DISK_READS && r.k->disk.percent == 0);
    r.k->journal[0] = first;
    watermark_look(r.k);
    EXPECT(r.k->disk.percent > 0 && r.k->disk.level != DISK_READS);
    room_close(&r);
}

int main(void)
{
    TEST(a_session_is_counted_once);
    TEST(hours_and_days_begin_anew);
    TEST(a_restart_forgets_nothing_of_who_lives);
    TEST(used_up_is_kept_at_once);
    TEST(far_behind_nobody_begins_a_session);
    TEST(a_level_ends_two_percent_below);
    TEST(the_largest_writers_are_the_fewest_with_more_than_half);
    TEST(a_volume_that_cannot_be_asked_is_a_full_one);
    return 0;
}
