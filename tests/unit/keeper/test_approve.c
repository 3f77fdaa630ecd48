/* Approvals: who may answer, and that an answer is used at most once. */
#include "keeper_room.h"

static HoldAsk hold_of(const StoreSession *s, uint8_t unit)
{
    return (HoldAsk){ .session = s->id,
                      .rule = LIT("writes-on-phi"),
                      .role = LIT("clinical"),
                      .fact = LIT("UPDATE on patient, column phone"),
                      .text = LIT("update patient set phone = $1"),
                      .values = LIT("[\"555-0100\"]"),
                      .unit = { { unit } },
                      .group = LIT("privacy-office"),
                      .count = 1,
                      .hold_ms = 600000,
                      .valid_ms = 900000 };
}

static HoldAnswer ask(Room *r, const StoreSession *s, uint8_t unit, bool ticket)
{
    HoldAsk hold = hold_of(s, unit);
    HoldAnswer answer;

    hold.ticket = ticket;
    EXPECT(approve_hold(r->k, &r->worker.writer, &hold, &r->arena, &answer) == OK);
    return answer;
}

static StoreRequest request_of(Room *r, const HoldAnswer *a)
{
    StoreRequest request;

    EXPECT(store_request_get(r->k->store, &a->request, &r->arena, &request) == OK);
    return request;
}

static Approver approver(Room *r, const char *name)
{
    Approver by = { .credential = { .issued_by = LIT("root") } };

    EXPECT(keeper_identity(r->k, text_of(name), &r->arena, &by.who, &by.user) == OK);
    return by;
}

static Err answer(Room *r, const HoldAnswer *a, const char *who, bool yes, const char **ret_why)
{
    const Approver by = approver(r, who);
    const Reply reply = { .approved = yes, .reason = yes ? (Bytes){ 0 } : LIT("not needed") };
    StoreRequest request = request_of(r, a);

    return approve_answer(r->k, &request, &by, &reply, ret_why);
}

static void one_approval_runs_it_once(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer first = ask(&r, &s, 7, false);
    EXPECT(first.state == HOLD_WAITING && first.check_word.len > 3);
    EXPECT(answer(&r, &first, "pat", true, &why) == OK);
    const StoreRequest used = request_of(&r, &first);
    EXPECT(used.state == REQUEST_USED && text_eq(used.who, LIT("pat")));
    EXPECT(!text_eq(VIEW(used.leaf.bytes), VIEW((PackKey){ { 0 } }.bytes)));
    /* The same again is another request. */
    const HoldAnswer again = ask(&r, &s, 7, false);
    EXPECT(again.state == HOLD_WAITING && !id_eq(&again.request, &first.request));
    EXPECT(answer(&r, &first, "pat", true, &why) == ERR_REFUSED);
    room_close(&r);
}

static void a_ticket_is_used_once(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "bot", IDENTITY_AGENT, 1);
    const HoldAnswer ticket = ask(&r, &s, 7, true);
    EXPECT(ticket.state == HOLD_TICKET);
    EXPECT(ask(&r, &s, 7, true).state == HOLD_TICKET);
    EXPECT(id_eq(&ticket.request, &(Id){ { 0 } }) == false);
    EXPECT(approve_session_gone(r.k, &s.id) == OK); /* it survives */
    EXPECT(approve_writer_gone(r.k, &s.writer) == OK);
    EXPECT(answer(&r, &ticket, "kim", true, &why) == OK);
    EXPECT(request_of(&r, &ticket).state == REQUEST_APPROVED);
    const StoreSession later = room_session(&r, "bot", IDENTITY_AGENT, 2);
    EXPECT(ask(&r, &later, 8, true).state == HOLD_TICKET); /* other bytes: not approved */
    const HoldAnswer run = ask(&r, &later, 7, true);
    EXPECT(run.state == HOLD_APPROVED && id_eq(&run.request, &ticket.request));
    EXPECT(text_eq(run.who, LIT("kim")));
    EXPECT(ask(&r, &later, 7, true).state == HOLD_TICKET); /* asked anew */
    room_close(&r);
}

static void another_caller_does_not_use_it(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer ticket = ask(&r, &s, 7, true);
    EXPECT(answer(&r, &ticket, "pat", true, &why) == OK);
    const StoreSession other = room_session(&r, "aud", IDENTITY_HUMAN, 2);
    EXPECT(ask(&r, &other, 7, true).state == HOLD_TICKET);
    EXPECT(request_of(&r, &ticket).state == REQUEST_APPROVED);
    room_close(&r);
}

static void people_who_may_not(void)
{
    static const struct {
        const char *caller, *who, *why;
    } CASES[] = {
        { "dana", "dana", "nobody may answer their own request" },
        { "dana", "aud", "you are not in the group that is asked" },
        { "dana", "bot", "only people may answer" },
        { "pat", "pat", "nobody may answer their own request" },
        { "dana", "pat", NULL },
    };
    Room r;

    room_open(&r);
    room_people(&r);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const StoreSession s = room_session(&r, CASES[i].caller, IDENTITY_HUMAN, (uint8_t)(10 + i));
        const HoldAnswer a = ask(&r, &s, (uint8_t)i, false);
        const Approver by = approver(&r, CASES[i].who);
        const StoreRequest request = request_of(&r, &a);
        const char *why = approve_why_not(r.k, &request, &by);

        EXPECT((why == NULL) == (CASES[i].why == NULL));
        EXPECT(why == NULL || strcmp(why, CASES[i].why) == 0);
    }
    room_close(&r);
}

static void the_requester_made_the_approver(void)
{
    Room r;
    Approver by;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    const StoreRequest request = request_of(&r, &a);

    by = approver(&r, "pat");
    EXPECT(approve_why_not(r.k, &request, &by) == NULL);
    by.credential.issued_by = LIT("dana");
    EXPECT(approve_why_not(r.k, &request, &by) != NULL);
    by = approver(&r, "pat");
    by.user.credential_issued_by = LIT("dana");
    EXPECT(approve_why_not(r.k, &request, &by) != NULL);
    by = approver(&r, "pat");
    by.user.created_by = LIT("dana");
    EXPECT(approve_why_not(r.k, &request, &by) != NULL);
    room_close(&r);
}

static void a_reset_by_the_requester_counts(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    /* dana is an administrator on the host, too. */
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "dana", "user.passwd", "name", "pat", "password",
                "another-password") == 0);
    EXPECT(answer(&r, &a, "pat", true, &why) == ERR_REFUSED);
    EXPECT(request_of(&r, &a).state == REQUEST_OPEN);
    EXPECT(answer(&r, &a, "kim", true, &why) == OK);
    room_close(&r);
}

static void two_distinct_people(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    HoldAsk hold = hold_of(&s, 3);
    HoldAnswer a;
    hold.count = 2;
    EXPECT(approve_hold(r.k, &r.worker.writer, &hold, &r.arena, &a) == OK);
    EXPECT(answer(&r, &a, "pat", true, &why) == OK);
    EXPECT(request_of(&r, &a).state == REQUEST_OPEN);
    EXPECT(answer(&r, &a, "pat", true, &why) == ERR_REFUSED);
    EXPECT(request_of(&r, &a).state == REQUEST_OPEN);
    EXPECT(answer(&r, &a, "kim", true, &why) == OK);
    EXPECT(request_of(&r, &a).state == REQUEST_USED);
    room_close(&r);
}

static HoldAnswer ask_of(Room *r, const StoreSession *s, Bytes group, uint32_t count)
{
    HoldAsk hold = hold_of(s, 9);
    HoldAnswer answer;

    hold.group = group;
    hold.count = count;
    EXPECT(approve_hold(r->k, &r->worker.writer, &hold, &r->arena, &answer) == OK);
    return answer;
}

/* pat and kim could; the third that is asked for is not there. */
static void nobody_is_asked_where_too_few_could_answer(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer three = ask_of(&r, &s, LIT("privacy-office"), 3);
    EXPECT(three.state == HOLD_REFUSED);
    EXPECT(text_eq(three.why, LIT("there are not 3 people in privacy-office who could answer")));
    const HoldAnswer none = ask_of(&r, &s, LIT("no-such-role"), 1);
    EXPECT(none.state == HOLD_REFUSED);
    EXPECT(text_eq(none.why, LIT("there is nobody in no-such-role who could answer")));
    EXPECT(ask_of(&r, &s, LIT("privacy-office"), 2).state == HOLD_WAITING);
    room_close(&r);
}

static void a_denial_stands_for_an_hour(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    EXPECT(answer(&r, &a, "pat", false, &why) == OK);
    EXPECT(request_of(&r, &a).state == REQUEST_DENIED);
    const HoldAnswer again = ask(&r, &s, 1, false);
    EXPECT(again.state == HOLD_DENIED && text_eq(again.why, LIT("not needed")));
    r.k->now.unix_ns += 3601 * SECOND_NS;
    EXPECT(ask(&r, &s, 1, false).state == HOLD_WAITING);
    room_close(&r);
}

static void time_runs_out(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    const HoldAnswer ticket = ask(&r, &s, 2, true);
    EXPECT(answer(&r, &ticket, "pat", true, &why) == OK);
    r.k->now.unix_ns += 601 * SECOND_NS;
    EXPECT(answer(&r, &a, "pat", true, &why) == ERR_REFUSED); /* before anybody noticed */
    EXPECT(approve_expire(r.k) == OK);
    EXPECT(request_of(&r, &a).state == REQUEST_EXPIRED);
    EXPECT(request_of(&r, &ticket).state == REQUEST_APPROVED);
    r.k->now.unix_ns += 300 * SECOND_NS;
    EXPECT(ask(&r, &s, 2, true).state == HOLD_TICKET); /* too late to use it */
    EXPECT(approve_expire(r.k) == OK);
    EXPECT(request_of(&r, &ticket).state == REQUEST_EXPIRED);
    room_close(&r);
}

static void nobody_waits_any_more(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    const HoldWithdraw other = { .request = a.request };
    EXPECT(approve_withdraw(r.k, &(Id){ { 9 } }, &other) == OK);
    EXPECT(request_of(&r, &a).state == REQUEST_OPEN); /* not that worker's */
    EXPECT(approve_withdraw(r.k, &r.worker.writer, &other) == OK);
    EXPECT(request_of(&r, &a).state == REQUEST_WITHDRAWN);
    EXPECT(answer(&r, &a, "pat", true, &why) == ERR_REFUSED);

    const HoldAnswer b = ask(&r, &s, 2, false), c = ask(&r, &s, 3, false);
    EXPECT(approve_session_gone(r.k, &s.id) == OK);
    EXPECT(request_of(&r, &b).state == REQUEST_WITHDRAWN);
    EXPECT(request_of(&r, &c).state == REQUEST_WITHDRAWN);
    room_close(&r);
}

static void an_agent_asks_three_times(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "bot", IDENTITY_AGENT, 1);
    for (uint8_t i = 0; i < 3; i++)
        EXPECT(ask(&r, &s, i, true).state == HOLD_TICKET);
    const HoldAnswer fourth = ask(&r, &s, 9, true);
    EXPECT(fourth.state == HOLD_REFUSED && fourth.why.len > 0);
    EXPECT(ask(&r, &s, 0, true).state == HOLD_TICKET); /* an open one is joined */
    room_close(&r);
}

static void only_sessions_of_that_worker(void)
{
    Room r;
    HoldAnswer a;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAsk hold = hold_of(&s, 1);
    EXPECT(approve_hold(r.k, &(Id){ { 9 } }, &hold, &r.arena, &a) == ERR_MALFORMED);
    HoldAsk nobody = hold;
    nobody.group = (Bytes){ 0 };
    EXPECT(approve_hold(r.k, &r.worker.writer, &nobody, &r.arena, &a) == ERR_MALFORMED);
    room_close(&r);
}

static void the_text_is_not_in_clear(void)
{
    CLEANUP(buf_done) Buf text = { 0 };
    Room r;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    StoreRequest request = request_of(&r, &a);
    EXPECT(text_find(request.sealed, LIT("555-0100")) == request.sealed.len);
    buf_init(&text, 1 << 16);
    EXPECT(approve_text(r.k, &request, &text) == OK);
    EXPECT(text_find(buf_view(&text), LIT("555-0100")) < buf_len(&text));
    request.id.bytes[15] ^= 1; /* another request's text is not this one's */
    EXPECT(approve_text(r.k, &request, &text) == ERR_MALFORMED);
    room_close(&r);
}

static void no_record_no_approval(void)
{
    Room r;
    const char *why;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const HoldAnswer a = ask(&r, &s, 1, false);
    r.k->diary.failed = true;
    EXPECT(answer(&r, &a, "pat", true, &why) == ERR_IO);
    EXPECT(request_of(&r, &a).state == REQUEST_OPEN);
    HoldAnswer b;
    const HoldAsk hold = hold_of(&s, 2);
    EXPECT(approve_hold(r.k, &r.worker.writer, &hold, &r.arena, &b) == ERR_IO);
    r.k->diary.failed = false;
    room_close(&r);
}

int main(void)
{
    TEST(one_approval_runs_it_once);
    TEST(a_ticket_is_used_once);
    TEST(another_caller_does_not_use_it);
    TEST(people_who_may_not);
    TEST(the_requester_made_the_approver);
    TEST(a_reset_by_the_requester_counts);
    TEST(two_distinct_people);
    TEST(nobody_is_asked_where_too_few_could_answer);
    TEST(a_denial_stands_for_an_hour);
    TEST(time_runs_out);
    TEST(nobody_waits_any_more);
    TEST(an_agent_asks_three_times);
    TEST(only_sessions_of_that_worker);
    TEST(the_text_is_not_in_clear);
    TEST(no_record_no_approval);
    return 0;
}
