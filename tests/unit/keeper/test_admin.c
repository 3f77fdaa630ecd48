/* Every call of the admin socket, by everybody: who gets through. */
#include "keeper_room.h"

enum { YES, NO, SIGN };

static const struct {
    const char *call;
    int administrator, person, agent;
} CALLS[] = {
    { "status", YES, YES, YES },
    { "whoami", YES, YES, YES },
    { "audit.checkpoint", YES, NO, NO },
    { "user.add", YES, NO, NO },
    { "user.ls", YES, NO, NO },
    { "user.passwd", YES, YES, YES },
    { "user.disable", YES, NO, NO },
    { "user.enable", YES, NO, NO },
    { "user.rm", YES, NO, NO },
    { "user.groups", YES, NO, NO },
    { "agent.add", YES, NO, NO },
    { "agent.ls", YES, NO, NO },
    { "agent.show", YES, NO, NO },
    { "agent.pause", YES, NO, NO },
    { "agent.resume", YES, NO, NO },
    { "agent.delete", YES, NO, NO },
    { "config.running", YES, NO, NO },
    { "reload", YES, NO, NO },
    { "drain", YES, NO, NO },
    { "drain.end", YES, NO, NO },
    { "drain.state", YES, NO, NO },
    { "agent.token", YES, NO, NO },
    { "token.create", YES, YES, YES },
    { "token.ls", YES, YES, YES },
    { "token.revoke", YES, YES, YES },
    { "approvals", SIGN, YES, YES },
    { "approve", SIGN, YES, YES },
    { "deny", SIGN, YES, YES },
    { "request.ls", YES, YES, YES },
    { "request.show", YES, YES, YES },
    { "request.withdraw", SIGN, YES, YES },
    { "session.ls", YES, YES, YES },
    { "session.show", YES, YES, YES },
    { "session.kill", YES, YES, YES },
    { "session.read", SIGN, YES, YES },
};

/* Without arguments most calls fail later, with other words: they got through. */
static void expect_door(int door, int status)
{
    EXPECT((door == SIGN) == (status == ADMIN_SIGN_IN));
    EXPECT((door == NO) == (status == ADMIN_REFUSED));
}

static void every_call_by_everybody(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    for (size_t i = 0; i < COUNT_OF(CALLS); i++) {
        const char *const words[] = { CALLS[i].call, NULL };

        EXPECT(admin_entry(text_of(CALLS[i].call)) != NULL);
        expect_door(CALLS[i].administrator,
                    room_call(&r, ADMIN_ADMINISTRATOR, "root", words, NULL));
        expect_door(CALLS[i].person, room_call(&r, ADMIN_IDENTITY, "dana", words, NULL));
        expect_door(CALLS[i].agent, room_call(&r, ADMIN_IDENTITY, "bot", words, NULL));
    }
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "no.such") == ADMIN_USAGE);
    room_close(&r);
}

static void people_manage_only_themselves(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "dana", "user.passwd", "name", "pat", "password",
                "my-own-password") == ADMIN_REFUSED);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "dana", "user.passwd", "name", "dana", "password",
                "my-own-password") == ADMIN_DONE);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "dana", "token.create", "user", "pat") == ADMIN_REFUSED);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "dana", "token.create") == ADMIN_DONE);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "bot", "user.passwd", "name", "bot", "password",
                "my-own-password") == ADMIN_USAGE);
    room_close(&r);
}

static void sessions_are_watched_by_few(void)
{
    static const struct {
        const char *who;
        int status; /* ADMIN_FAILED: as if there were none */
    } WHO[] = { { "dana", ADMIN_DONE },
                { "pat", ADMIN_DONE },
                { "aud", ADMIN_DONE },
                { "bot", ADMIN_FAILED } };
    Room r;

    room_open(&r);
    room_people(&r);
    const StoreSession s = room_session(&r, "dana", IDENTITY_HUMAN, 1);
    const IdText id = id_text('s', &s.id);
    const uint64_t before = r.k->diary.writer.next_seq;
    for (size_t i = 0; i < COUNT_OF(WHO); i++)
        EXPECT(CALL(&r, ADMIN_IDENTITY, WHO[i].who, "session.read", "id", id.text) ==
               WHO[i].status);
    EXPECT(r.k->diary.writer.next_seq == before + 3); /* each viewing is a record */
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "session.show", "id", id.text) == ADMIN_DONE);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "session.read", "id", id.text) == ADMIN_SIGN_IN);
    const StoreSession other = room_session(&r, "pat", IDENTITY_HUMAN, 2);
    const IdText others = id_text('s', &other.id);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "dana", "session.show", "id", others.text) == ADMIN_FAILED);
    EXPECT(CALL(&r, ADMIN_IDENTITY, "dana", "session.kill", "id", others.text) == ADMIN_FAILED);
    room_close(&r);
}

static void no_record_no_change(void)
{
    Room r;
    StoreUser u;

    room_open(&r);
    room_people(&r);
    r.k->diary.failed = true;
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", "eve") == ADMIN_FAILED);
    EXPECT(store_user_get(r.k->store, LIT("eve"), &r.arena, &u) == ERR_MORE);
    r.k->diary.failed = false;
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", "eve") == ADMIN_DONE);
    room_close(&r);
}

static void names_and_passwords_are_checked(void)
{
    static const char *const BAD[] = { "", "Dana", "a b", "-x", "a/b", "é" };
    Room r;

    room_open(&r);
    room_people(&r);
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", BAD[i]) == ADMIN_USAGE);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", "dana") == ADMIN_FAILED);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", "x", "password", "short") ==
           ADMIN_USAGE);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", "x", "kind", "robot") ==
           ADMIN_USAGE);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "agent.add", "name", "x") == ADMIN_USAGE);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "agent.add", "name", "x", "owner", "bot") ==
           ADMIN_USAGE);
    room_close(&r);
}

int main(void)
{
    TEST(every_call_by_everybody);
    TEST(people_manage_only_themselves);
    TEST(sessions_are_watched_by_few);
    TEST(no_record_no_change);
    TEST(names_and_passwords_are_checked);
    return 0;
}
