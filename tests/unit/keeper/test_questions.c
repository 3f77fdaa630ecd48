/* Questions over a real channel, as a worker asks them. */
#include "../sys/tls_pair.h"
#include "base/encode.h"
#include "keeper/questions.h"
#include "keeper_room.h"

typedef struct Pair {
    Room room;
    uv_loop_t loop;
    Channel *worker;
    Err last; /* what the keeper thought of the last message */
    unsigned answers;
    uint16_t kind; /* of the last message that came to the worker */
    int fd;
    Buf body;
} Pair;

static void keeper_takes(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Pair *p = ctx;

    (void)channel;
    p->last = questions_take(&p->room.worker, m);
    if (p->last != OK)
        p->answers++;
}

static void worker_takes(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Pair *p = ctx;

    (void)channel;
    p->answers++;
    p->kind = m->kind;
    p->fd = m->fd;
    buf_truncate(&p->body, 0);
    EXPECT(buf_append(&p->body, m->body) == OK);
}

static void worker_answered(void *ctx, const ChannelMessage *m)
{
    if (m != NULL)
        worker_takes(ctx, NULL, m);
}

static void ended(void *ctx, Channel *channel)
{
    (void)ctx;
    (void)channel;
}

static void begin(Pair *p)
{
    int fds[2];
    const ChannelHandlers at_keeper = { p, keeper_takes, ended };
    const ChannelHandlers at_worker = { p, worker_takes, ended };

    *p = (Pair){ .fd = -1 };
    room_open(&p->room);
    room_people(&p->room);
    buf_init(&p->body, 1 << 18);
    EXPECT(uv_loop_init(&p->loop) == 0 && channel_pair(fds) == OK);
    p->room.k->loop = &p->loop;
    EXPECT(channel_new(&p->loop, fds[0], &at_keeper, &p->room.worker.channel) == OK);
    EXPECT(channel_new(&p->loop, fds[1], &at_worker, &p->worker) == OK);
}

static void end(Pair *p)
{
    channel_free(p->room.worker.channel);
    channel_free(p->worker);
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    EXPECT(uv_loop_close(&p->loop) == 0);
    if (p->fd >= 0)
        close(p->fd);
    buf_done(&p->body);
    room_close(&p->room);
}

static Bytes ask(Pair *p, uint16_t kind, const Buf *body)
{
    p->answers = 0;
    EXPECT(channel_ask(p->worker, kind, buf_view(body), worker_answered, p) == OK);
    while (p->answers == 0)
        (void)uv_run(&p->loop, UV_RUN_ONCE);
    return buf_view(&p->body);
}

static void a_segment_comes_with_its_file(void)
{
    CLEANUP(buf_done) Buf body = { 0 };
    SegmentAnswer answer;
    Pair p;

    begin(&p);
    buf_init(&body, 1024);
    const SegmentAsk mine = { p.room.worker.writer };
    EXPECT(pack_segment_ask(&body, &mine) == OK);
    EXPECT(unpack_segment_answer(ask(&p, ASK_SEGMENT, &body), &answer) == OK);
    EXPECT(answer.ok == 1 && answer.segment > 1 && p.fd >= 0);
    EXPECT(file_write_all(p.fd, LIT("x")) == OK);

    buf_truncate(&body, 0);
    const SegmentAsk others = { { { 9 } } };
    EXPECT(pack_segment_ask(&body, &others) == OK);
    (void)ask(&p, ASK_SEGMENT, &body);
    EXPECT(p.last == ERR_MALFORMED);
    end(&p);
}

static void segments_are_not_given_without_end(void)
{
    CLEANUP(buf_done) Buf body = { 0 };
    SegmentAnswer answer = { .ok = 1 };
    unsigned given = 0;
    Pair p;

    begin(&p);
    buf_init(&body, 1024);
    const SegmentAsk mine = { p.room.worker.writer };
    EXPECT(pack_segment_ask(&body, &mine) == OK);
    while (given < 100) {
        EXPECT(unpack_segment_answer(ask(&p, ASK_SEGMENT, &body), &answer) == OK);
        if (answer.ok == 0)
            break;
        given++;
        close(p.fd);
        p.fd = -1;
    }
    EXPECT(given == 6);
    end(&p);
}

static void recorded(Pair *p, uint8_t session, uint64_t bytes)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Recorded m = { { { session } }, bytes };

    buf_init(&body, 64);
    p->answers = 0;
    EXPECT(pack_recorded(&body, &m) == OK);
    EXPECT(channel_tell(p->worker, ASK_RECORDED, buf_view(&body), -1) == OK);
    while (p->answers == 0)
        (void)uv_run(&p->loop, UV_RUN_ONCE);
}

/* A worker hears how an identity stands with all of its sessions. */
static void what_is_recorded_is_added_up(void)
{
    Budget m;
    Pair p;

    begin(&p);
    (void)room_session(&p.room, "dana", IDENTITY_HUMAN, 7);
    (void)room_session(&p.room, "dana", IDENTITY_HUMAN, 8);
    recorded(&p, 7, 1000);
    recorded(&p, 8, 500);
    EXPECT(p.kind == ASK_BUDGET && unpack_budget(buf_view(&p.body), &m) == OK);
    EXPECT(text_eq(m.user, LIT("dana")) && text_eq(m.resource, LIT("ehr")));
    EXPECT(m.hour_bytes == 1500 && m.day_bytes == 1500 && m.hour / 24 == m.day);
    EXPECT(m.session.bytes[0] == 8 && m.bytes == 500); /* and what of it they know already */
    recorded(&p, 8, 499);
    EXPECT(p.last == ERR_MALFORMED);
    end(&p);
}

/* Once it is used up, the workers that did not ask know it too. */
static void every_worker_hears_when_a_budget_is_used_up(void)
{
    const ChannelHandlers nobody = { NULL, NULL, ended };
    KeeperPeer second = { .party = PARTY_WORKER, .writer = { { 2 } } };
    Pair p;
    Budget m;
    int fds[2];

    begin(&p);
    const ChannelHandlers at_second = { &p, worker_takes, ended };
    Channel *worker = NULL;
    EXPECT(channel_pair(fds) == OK);
    EXPECT(channel_new(&p.loop, fds[0], &nobody, &second.channel) == OK);
    EXPECT(channel_new(&p.loop, fds[1], &at_second, &worker) == OK);
    second.keeper = p.room.k;
    second.next = p.room.k->peers;
    p.room.k->peers = &second;
    p.room.k->edition->config.recording.budget.hour = 1000;
    (void)room_session(&p.room, "dana", IDENTITY_HUMAN, 7);
    recorded(&p, 7, 999);
    EXPECT(p.answers == 1);
    recorded(&p, 7, 1000);
    while (p.answers < 2)
        (void)uv_run(&p.loop, UV_RUN_ONCE);
    EXPECT(unpack_budget(buf_view(&p.body), &m) == OK && m.hour_bytes == 1000);
    p.room.k->peers = &p.room.worker;
    channel_free(second.channel);
    channel_free(worker);
    end(&p);
}

/* The other side of a proof: what PostgreSQL would check. */
static void a_proof_for_the_target(void)
{
    static const char FIRST[] = "r=clientnonceSERVERNONCE,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096";
    CLEANUP(buf_done) Buf body = { 0 };
    UpstreamProveAnswer answer;
    ScramClientFinal final;
    ScramVerifier verifier;
    char path[96];
    Pair p;

    begin(&p);
    (void)snprintf(path, sizeof path, "%s/secret", p.room.folder);
    EXPECT(file_replace(path, LIT("s3cret\n"), 0600) == OK);
    buf_init(&body, 4096);
    const UpstreamProve prove = { .client_first_bare = LIT("n=,r=clientnonce"),
                                  .server_first = text_of(FIRST),
                                  .gs2_header = LIT("n,,") };
    EXPECT(pack_upstream_prove(&body, &prove) == OK);
    EXPECT(scram_verifier_make(LIT("s3cret"), LIT("0123456789abcdef"), 4096, &verifier) == OK);
    for (int i = 0; i < 2; i++) { /* computed, then remembered */
        EXPECT(unpack_upstream_prove_answer(ask(&p, ASK_UPSTREAM_PROVE, &body), &answer) == OK);
        EXPECT(answer.ok == 1 && p.room.k->salted.clock > 0);
        EXPECT(scram_client_final_parse(answer.client_final, &final) == OK);
        const ScramExchange e = { prove.client_first_bare, prove.server_first,
                                  final.without_proof };
        EXPECT(scram_proof_holds(&verifier, &e, &final.proof));
    }
    end(&p);
}

static void proofs_are_bound_as_asked(void)
{
    static const struct {
        const char *gs2;
        Bytes binding;
        bool asked; /* may be asked at all */
    } CASES[] = {
        { "p=tls-server-end-point,,", LIT_INIT("0123456789abcdef0123456789abcdef"), true },
        { "y,,", { NULL, 0 }, true },
        { "p=tls-server-end-point,,", { NULL, 0 }, false },
        { "p=tls-server-end-point,,", LIT_INIT("short"), false },
        { "n,,", LIT_INIT("0123456789abcdef0123456789abcdef"), false },
        { "y,,", LIT_INIT("0123456789abcdef0123456789abcdef"), false },
        { "p=tls-unique,,", LIT_INIT("0123456789abcdef0123456789abcdef"), false },
        { "n,a=root,", { NULL, 0 }, false },
        { "", { NULL, 0 }, false },
    };
    char path[96];

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(buf_done) Buf body = { 0 };
        UpstreamProveAnswer answer;
        ScramClientFinal final;
        Pair p;

        begin(&p);
        (void)snprintf(path, sizeof path, "%s/secret", p.room.folder);
        EXPECT(file_replace(path, LIT("s3cret\n"), 0600) == OK);
        buf_init(&body, 4096);
        const UpstreamProve prove = {
            .client_first_bare = LIT("n=,r=clientnonce"),
            .server_first = LIT("r=clientnonceSERVERNONCE,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096"),
            .gs2_header = text_of(CASES[i].gs2),
            .binding = CASES[i].binding,
        };
        EXPECT(pack_upstream_prove(&body, &prove) == OK);
        const Bytes said = ask(&p, ASK_UPSTREAM_PROVE, &body);
        EXPECT(p.last == (CASES[i].asked ? OK : ERR_MALFORMED));
        if (CASES[i].asked) {
            EXPECT(unpack_upstream_prove_answer(said, &answer) == OK && answer.ok == 1);
            EXPECT(scram_client_final_parse(answer.client_final, &final) == OK);
            EXPECT(scram_binding_check(&final, prove.gs2_header, prove.binding) == OK);
        }
        end(&p);
    }
}

static Bytes ask_signature(Pair *p, TlsScheme scheme, Bytes data)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const TlsSign sign = { .scheme = (uint8_t)scheme, .data = data };
    TlsSignAnswer answer = { 0 };

    buf_init(&body, 4096);
    EXPECT(pack_tls_sign(&body, &sign) == OK);
    const Bytes said = ask(p, ASK_TLS_SIGN, &body);
    EXPECT(p->last != OK || unpack_tls_sign_answer(said, &answer) == OK);
    return answer.signature;
}

static void handshakes_are_signed_and_nothing_else(void)
{
    static const uint8_t DATA[TLS_SIGN_MAX + 1] = { 1 };
    KeyPair pair = pair_of("P-256");
    const char *why;
    Pair p;

    begin(&p);
    (void)ask_signature(&p, TLS_ECDSA, (Bytes){ DATA, 32 });
    EXPECT(p.last == ERR_MALFORMED); /* there is no certificate: nobody may ask */
    EXPECT(tls_key_new(buf_view(&pair.key), buf_view(&pair.certificate),
                       &p.room.k->edition->handshakes.key, &why) == OK);
    EXPECT(ask_signature(&p, TLS_ECDSA, (Bytes){ DATA, 32 }).len > 60 && p.last == OK);
    EXPECT(ask_signature(&p, TLS_ECDSA, (Bytes){ DATA, 20 }).len == 0 && p.last == OK);
    EXPECT(ask_signature(&p, TLS_RSA_PSS, (Bytes){ DATA, 256 }).len == 0 && p.last == OK);
    EXPECT(ask_signature(&p, (TlsScheme)77, (Bytes){ DATA, 32 }).len == 0 && p.last == OK);
    (void)ask_signature(&p, TLS_ECDSA, VIEW(DATA));
    EXPECT(p.last == ERR_MALFORMED);
    p.room.worker.signs = (SignAllowance){ HANDSHAKES_BURST, p.room.k->now.mono_ns };
    EXPECT(ask_signature(&p, TLS_ECDSA, (Bytes){ DATA, 32 }).len == 0 && p.last == OK);
    end(&p);
    pair_done(&pair);
}

static void so_many_signatures_a_second(void)
{
    const uint64_t second = SECOND_NS;
    SignAllowance a = { 0 };
    unsigned given = 0;

    while (given < 5000 && handshake_may(&a, 100 * second))
        given++;
    EXPECT(given == HANDSHAKES_BURST);
    given = 0;
    for (uint64_t now = 100 * second; now <= 110 * second; now += second / 1000)
        given += handshake_may(&a, now);
    EXPECT(given == 10 * HANDSHAKES_A_SECOND);
    given = 0;
    while (given < 5000 && handshake_may(&a, 1000 * second))
        given++;
    EXPECT(given == HANDSHAKES_BURST);
}

static void proofs_only_for_ones_own_sessions(void)
{
    CLEANUP(buf_done) Buf body = { 0 };
    UpstreamProveAnswer answer;
    Pair p;

    begin(&p);
    buf_init(&body, 4096);
    const UpstreamProve prove = { .session = { { 77 } },
                                  .client_first_bare = LIT("n=,r=clientnonce"),
                                  .server_first = LIT("r=clientnonceX,s=MDEyMzQ1Njc4OWFi,i=4096"),
                                  .gs2_header = LIT("n,,") };
    EXPECT(pack_upstream_prove(&body, &prove) == OK);
    EXPECT(unpack_upstream_prove_answer(ask(&p, ASK_UPSTREAM_PROVE, &body), &answer) == OK);
    EXPECT(answer.ok == 0 && answer.client_final.len == 0);
    end(&p);
}

/* The configuration of this room says nothing of MD5: whoever asks does not follow it. */
static void no_md5_unless_it_is_allowed(void)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const UpstreamMd5 question = { .salt = LIT("abcd") };
    char path[96];
    Pair p;

    begin(&p);
    (void)snprintf(path, sizeof path, "%s/secret", p.room.folder);
    EXPECT(file_replace(path, LIT("s3cret\n"), 0600) == OK);
    buf_init(&body, 4096);
    EXPECT(pack_upstream_md5(&body, &question) == OK);
    (void)ask(&p, ASK_UPSTREAM_MD5, &body);
    EXPECT(p.last == ERR_MALFORMED);
    end(&p);
}

static void pseudonym_keys_go_with_sessions(void)
{
    CLEANUP(buf_done) Buf body = { 0 };
    PseudonymKeyAnswer mine, again, other;
    Pair p;

    begin(&p);
    buf_init(&body, 4096);
    const StoreSession s = room_session(&p.room, "dana", IDENTITY_HUMAN, 1);
    PseudonymKey question = { .session = s.id, .scope = LIT("resource") };
    EXPECT(pack_pseudonym_key(&body, &question) == OK);
    EXPECT(unpack_pseudonym_key_answer(ask(&p, ASK_PSEUDONYM_KEY, &body), &mine) == OK);
    EXPECT(unpack_pseudonym_key_answer(ask(&p, ASK_PSEUDONYM_KEY, &body), &again) == OK);
    EXPECT(mine.ok == 1 && text_eq(VIEW(mine.key_low.bytes), VIEW(again.key_low.bytes)));
    EXPECT(!text_eq(VIEW(mine.key_low.bytes), VIEW(mine.key_high.bytes)));
    question.scope = LIT("study");
    buf_truncate(&body, 0);
    EXPECT(pack_pseudonym_key(&body, &question) == OK);
    EXPECT(unpack_pseudonym_key_answer(ask(&p, ASK_PSEUDONYM_KEY, &body), &other) == OK);
    EXPECT(!text_eq(VIEW(mine.key_low.bytes), VIEW(other.key_low.bytes)));
    question.session = (Id){ { 99 } };
    buf_truncate(&body, 0);
    EXPECT(pack_pseudonym_key(&body, &question) == OK);
    EXPECT(unpack_pseudonym_key_answer(ask(&p, ASK_PSEUDONYM_KEY, &body), &other) == OK);
    EXPECT(other.ok == 0 && text_eq(VIEW(other.key_low.bytes), VIEW((PackKey){ { 0 } }.bytes)));
    end(&p);
}

static void what_is_not_in_the_table(void)
{
    static const uint16_t KINDS[] = { ASK_ADMIN, ASK_PEER, ASK_START,      ASK_PROCESSES,
                                      ASK_READY, ASK_DIAL, ASK_ADMIN_DONE, ASK_HOLD_ANSWER,
                                      ASK_SEAL,  9999 };
    CLEANUP(buf_done) Buf body = { 0 };
    Pair p;

    begin(&p);
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        (void)ask(&p, KINDS[i], &body);
        EXPECT(p.last == ERR_REFUSED);
    }
    (void)ask(&p, ASK_HOLD, &body); /* in the table, and empty */
    EXPECT(p.last == ERR_MALFORMED);
    end(&p);
}

int main(void)
{
    TEST(a_segment_comes_with_its_file);
    TEST(segments_are_not_given_without_end);
    TEST(what_is_recorded_is_added_up);
    TEST(every_worker_hears_when_a_budget_is_used_up);
    TEST(a_proof_for_the_target);
    TEST(proofs_are_bound_as_asked);
    TEST(handshakes_are_signed_and_nothing_else);
    TEST(so_many_signatures_a_second);
    TEST(proofs_only_for_ones_own_sessions);
    TEST(no_md5_unless_it_is_allowed);
    TEST(pseudonym_keys_go_with_sessions);
    TEST(what_is_not_in_the_table);
    return 0;
}
