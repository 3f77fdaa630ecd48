#include "base/text.h"
#include "test.h"
#include "worker/worker.h"

#include <string.h>

static char told[1024];
static size_t times;

static Err notify(void *state, Wire *wire, const Fault *fault, Bytes id)
{
    (void)state;
    (void)wire;
    (void)id;
    EXPECT(fault->code == CHP_3201 && fault->fact.len < sizeof told);
    memcpy(told, fault->fact.ptr, fault->fact.len);
    told[fault->fact.len] = 0;
    times++;
    return OK;
}

static const Proto PROTO = { .name = "test", .notify = notify };

static void wait_until(Worker *w, uint64_t ms)
{
    w->now.mono_ns = ms * 1000000;
    holds_tick(w);
}

static Session waiting(Worker *w, uint64_t hold_ms)
{
    Session s = { .worker = w,
                  .phase = SESSION_OPEN,
                  .ready = true, /* marked already: there is no turn here */
                  .gate = { .proto = &PROTO },
                  .holding = true,
                  .held_since_ms = 1000,
                  .held_check_word = LIT("BIRCH-47"),
                  .held_verdict = { .rule = LIT("writes"),
                                    .hold = { .group = LIT("office"), .hold_ms = hold_ms } } };

    (void)snprintf(s.held_request.text, sizeof s.held_request.text, "r-1");
    times = 0;
    return s;
}

static void a_reminder_is_due_at_1_5_and_9_minutes(void)
{
    EXPECT(hold_notices_due(0) == 0 && hold_notices_due(59999) == 0);
    EXPECT(hold_notices_due(60000) == 1 && hold_notices_due(299999) == 1);
    EXPECT(hold_notices_due(300000) == 2 && hold_notices_due(539999) == 2);
    EXPECT(hold_notices_due(540000) == 3 && hold_notices_due(UINT64_MAX) == 3);
}

static void who_waits_is_told_again(void)
{
    Worker w = { 0 };
    Session s = waiting(&w, 600000);

    w.sessions = &s;
    for (uint64_t ms = 1000; ms <= 60900; ms += 100)
        wait_until(&w, ms);
    EXPECT(times == 0);
    wait_until(&w, 61000);
    EXPECT(times == 1);
    EXPECT(strcmp(told, "still waiting for approval r-1 (check word: BIRCH-47) by office, up to 9 "
                        "min") == 0);
    for (uint64_t ms = 61100; ms <= 601000 + 60000; ms += 100)
        wait_until(&w, ms);
    EXPECT(times == 3 && strstr(told, "up to 1 min") != NULL);
}

static void nobody_is_told_after_the_end(void)
{
    Worker w = { 0 };
    Session s = waiting(&w, 300000);

    w.sessions = &s;
    wait_until(&w, 301000); /* kept from the clock: by now it has expired */
    EXPECT(times == 0);
    s = waiting(&w, 600000);
    wait_until(&w, 401000); /* one reminder, not those it missed */
    EXPECT(times == 1 && s.held_notices == 2);
    s = waiting(&w, 600000);
    s.holding = false;
    wait_until(&w, 401000);
    EXPECT(times == 0);
}

int main(void)
{
    TEST(a_reminder_is_due_at_1_5_and_9_minutes);
    TEST(who_waits_is_told_again);
    TEST(nobody_is_told_after_the_end);
    return 0;
}
