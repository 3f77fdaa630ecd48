/* explain: the keeper asks a worker, and does not wait for ever. */
#include "keeper/admin.h"
#include "keeper_room.h"

#include <sys/socket.h>

enum { HEAD = 12 }; /* of a channel's packet */

typedef struct Scene {
    Room room;
    uv_loop_t loop;
    KeeperPeer console;
    int worker_fd, console_fd; /* the other ends */
} Scene;

static void nothing(void *ctx, Channel *channel, const ChannelMessage *m)
{
    (void)ctx;
    (void)channel;
    (void)m;
}

static void ended(void *ctx, Channel *channel)
{
    (void)ctx;
    (void)channel;
}

static int channel_to(Scene *s, KeeperPeer *peer)
{
    const ChannelHandlers handlers = { peer, nothing, ended };
    int fds[2];

    EXPECT(channel_pair(fds) == OK);
    EXPECT(channel_new(&s->loop, fds[0], &handlers, &peer->channel) == OK);
    return fds[1];
}

static void scene_open(Scene *s)
{
    *s = (Scene){ .console_fd = -1 };
    room_open(&s->room);
    room_people(&s->room);
    EXPECT(uv_loop_init(&s->loop) == 0);
    s->worker_fd = channel_to(s, &s->room.worker);
    s->console = (KeeperPeer){ .keeper = s->room.k,
                               .party = PARTY_CONSOLE,
                               .writer = { { 0xcc } },
                               .next = s->room.k->peers };
    s->console_fd = channel_to(s, &s->console);
    s->room.k->peers = &s->console;
}

static void scene_close(Scene *s)
{
    if (s->room.worker.channel != NULL)
        channel_free(s->room.worker.channel);
    channel_free(s->console.channel);
    EXPECT(s->room.k->explaining == NULL);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    EXPECT(uv_loop_close(&s->loop) == 0);
    close(s->worker_fd);
    close(s->console_fd);
    room_close(&s->room);
}

static void ask(Scene *s)
{
    static const char *const WORDS[] = { "resource", "ehr", "sql", "select 1" };
    CLEANUP(buf_done) Buf list = { 0 };
    AdminRun run = { .keeper = s->room.k,
                     .console = s->console.writer,
                     .who = ADMIN_IDENTITY,
                     .name = LIT("explain"),
                     .caller = LIT("dana") };

    buf_init(&list, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        EXPECT(pack_item(&list, text_of(WORDS[i])) == OK);
    run.arguments.packed = buf_view(&list);
    arena_init(&run.arena, 8 << 20);
    buf_init(&run.result, 1 << 17);
    EXPECT(keeper_identity(s->room.k, run.caller, &run.arena, &run.identity.who,
                           &run.identity.user) == OK);
    admin_do(&run);
    EXPECT(run.later && s->room.k->explaining != NULL);
}

/* What the console was told; false: nothing yet. */
static bool told(Scene *s, uint32_t *ret_status, char *ret_words, size_t size)
{
    static uint8_t packet[128 << 10];
    const ssize_t n = recv(s->console_fd, packet, sizeof packet, MSG_DONTWAIT);
    AdminAnswer a;

    if (n < HEAD)
        return false;
    EXPECT(unpack_admin_answer((Bytes){ packet + HEAD, (size_t)n - HEAD }, &a) == OK);
    *ret_status = a.exit_status;
    (void)snprintf(ret_words, size, "%.*s", SHOW(a.json));
    return true;
}

/* What the worker was asked first, it answers. */
static void answer(Scene *s)
{
    static uint8_t packet[128 << 10];
    const ssize_t n = recv(s->worker_fd, packet, sizeof packet, MSG_DONTWAIT);
    CLEANUP(buf_done) Buf out = { 0 };
    const ExplainAnswer a = { .ok = 1, .json = LIT("{\"verdict\":\"allow\"}") };

    EXPECT(n > HEAD);
    buf_init(&out, 1024);
    packet[3] = 2; /* an answer */
    EXPECT(buf_append(&out, (Bytes){ packet, HEAD }) == OK && pack_explain_answer(&out, &a) == OK);
    EXPECT(send(s->worker_fd, buf_view(&out).ptr, buf_len(&out), 0) == (ssize_t)buf_len(&out));
    (void)uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void an_answer_is_passed_on(void)
{
    Scene s;
    uint32_t status;
    char words[256];

    scene_open(&s);
    ask(&s);
    answer(&s);
    EXPECT(told(&s, &status, words, sizeof words) && status == ADMIN_DONE);
    EXPECT(strstr(words, "allow") != NULL);
    scene_close(&s);
}

static void a_worker_that_is_stuck_is_given_up(void)
{
    Scene s;
    uint32_t status;
    char words[256];

    scene_open(&s);
    const uint64_t start_ns = s.room.k->now.mono_ns;
    ask(&s);
    s.room.k->now.mono_ns = start_ns + 11 * SECOND_NS;
    admin_tick(s.room.k);
    EXPECT(!told(&s, &status, words, sizeof words));
    s.room.k->now.mono_ns = start_ns + 12 * SECOND_NS;
    admin_tick(s.room.k);
    EXPECT(told(&s, &status, words, sizeof words) && status == ADMIN_FAILED);
    EXPECT(strstr(words, "did not answer within 12 s") != NULL);
    EXPECT(s.room.k->explaining == NULL);
    answer(&s); /* too late: nobody's */
    EXPECT(!told(&s, &status, words, sizeof words));
    scene_close(&s);
}

static void a_worker_that_ends_is_told_of_at_once(void)
{
    Scene s;
    uint32_t status;
    char words[256];

    scene_open(&s);
    ask(&s);
    ask(&s);
    channel_free(s.room.worker.channel);
    s.room.worker.channel = NULL;
    EXPECT(told(&s, &status, words, sizeof words) && strstr(words, "ended") != NULL);
    EXPECT(told(&s, &status, words, sizeof words));
    EXPECT(s.room.k->explaining == NULL);
    scene_close(&s);
}

int main(void)
{
    TEST(an_answer_is_passed_on);
    TEST(a_worker_that_is_stuck_is_given_up);
    TEST(a_worker_that_ends_is_told_of_at_once);
    return 0;
}
