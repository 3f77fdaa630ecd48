/* Sign-in: the server's half of SCRAM, asked as a worker asks it. */
#include "../sys/tls_pair.h"
#include "base/encode.h"
#include "keeper_room.h"
#include "policy/client_certificate.h"

#define BARE "n=,r=clientnonceclientnonce"

typedef struct Try {
    SigninBeginAnswer begun;
    SigninProveAnswer proved;
    ScramServerFirst first;
} Try;

static Bytes keep(Room *r, const Buf *b)
{
    Bytes copy;

    EXPECT(arena_copy(&r->arena, buf_view(b), &copy) == OK);
    return copy;
}

typedef struct Saying {
    const char *peer, *gs2;
    Bytes binding;
    uint8_t tls;
} Saying;

static Try sign_in_with(Room *r, const char *user, Bytes secret, const Saying *saying,
                        SigninBegin begin)
{
    CLEANUP(buf_done) Buf final = { 0 };
    Try t = { 0 };

    begin.user = text_of(user);
    begin.resource = LIT("ehr");
    begin.peer = text_of(saying->peer);
    begin.client_first_bare = LIT(BARE);

    buf_init(&final, 4096);
    EXPECT(signin_begin(r->k, &r->worker.writer, &begin, &r->arena, &t.begun) == OK);
    if (t.begun.refused != 0)
        return t;
    EXPECT(scram_server_first_parse(t.begun.server_first, LIT("clientnonceclientnonce"),
                                    &t.first) == OK);
    Hash salted;
    EXPECT(scram_salt_password(secret, (Bytes){ t.first.salt, t.first.salt_bytes }, t.first.rounds,
                               &salted) == OK);
    const Bytes gs2 = text_of(saying->gs2);
    EXPECT(scram_client_final_begin(gs2, saying->binding, t.first.nonce, &final) == OK);
    const Bytes without = keep(r, &final);
    const ScramExchange e = { LIT(BARE), t.begun.server_first, without };
    EXPECT(scram_client_final_end(&salted, &e, &final) == OK);
    ScramClientFinal parsed;
    EXPECT(scram_client_final_parse(buf_view(&final), &parsed) == OK);
    SigninProve prove = { .session = t.begun.session,
                          .client_final_without_proof = without,
                          .gs2_header = gs2,
                          .tls = saying->tls };
    memcpy(prove.proof.bytes, parsed.proof.bytes, sizeof prove.proof.bytes);
    EXPECT(signin_prove(r->k, &r->worker.writer, &prove, &r->arena, &t.proved) == OK);
    if (t.proved.ok)
        EXPECT(scram_server_final_check(t.proved.server_final, &salted, &e) == OK);
    return t;
}

static Try sign_in_saying(Room *r, const char *user, Bytes secret, const Saying *saying)
{
    return sign_in_with(r, user, secret, saying, (SigninBegin){ 0 });
}

static Try sign_in(Room *r, const char *user, Bytes secret, const char *peer)
{
    return sign_in_saying(r, user, secret, &(Saying){ .peer = peer, .gs2 = "n,," });
}

static const char PASSWORD[] = "a-long-password";

static Bytes token_of(Room *r, const char *user)
{
    Bytes result;
    const char *const words[] = { "token.create", "user", user, NULL };

    EXPECT(room_call(r, ADMIN_ADMINISTRATOR, "root", words, &result) == 0);
    return room_member(result, "token");
}

static void a_password_and_a_token(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    const Try by_password = sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:1000");
    EXPECT(by_password.proved.ok == 1 && by_password.proved.by_token == 0);
    EXPECT(by_password.proved.identity_kind == IDENTITY_HUMAN);
    PackList groups = by_password.proved.groups;
    Bytes group;
    EXPECT(pack_next(&groups, &group) && text_eq(group, LIT("local/clinical")));
    EXPECT(!pack_next(&groups, &group));

    const Try by_token = sign_in(&r, "dana", token_of(&r, "dana"), "10.0.0.7:1000");
    EXPECT(by_token.proved.ok == 1 && by_token.proved.by_token == 1);
    EXPECT(
        !text_eq(VIEW(by_token.proved.audit_key.bytes), VIEW(by_password.proved.audit_key.bytes)));
    EXPECT(
        !text_eq(VIEW(by_token.proved.audit_key.bytes), VIEW(by_token.proved.content_key.bytes)));

    StoreSession kept;
    EXPECT(keeper_session(r.k, &by_token.begun.session, &r.worker.writer, &r.arena, &kept) == OK);
    EXPECT(keeper_session(r.k, &by_token.begun.session, &(Id){ { 2 } }, &r.arena, &kept) ==
           ERR_MORE);
    room_close(&r);
}

static void keys_are_kept_wrapped(void)
{
    CLEANUP(buf_done) Buf wrapped = { 0 };
    CLEANUP(buf_done) Buf key = { 0 };
    Room r;

    room_open(&r);
    room_people(&r);
    const Try t = sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:1");
    buf_init(&wrapped, 256);
    buf_init(&key, 256);
    EXPECT(store_key_get(r.k->store, &t.proved.audit_key_id, &wrapped) == OK);
    EXPECT(text_find(buf_view(&wrapped), VIEW(t.proved.audit_key.bytes)) == buf_len(&wrapped));
    EXPECT(keys_open(&r.k->keys, VIEW(t.proved.audit_key_id.bytes), buf_view(&wrapped), &key) ==
           OK);
    EXPECT(text_eq(buf_view(&key), VIEW(t.proved.audit_key.bytes)));
    room_close(&r);
}

static void those_who_may_not(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    EXPECT(sign_in(&r, "dana", LIT("wrong"), "10.0.0.7:1").proved.ok == 0);
    const Bytes token = token_of(&r, "pat");
    EXPECT(sign_in(&r, "dana", token, "10.0.0.7:1").proved.ok == 0); /* another's */
    EXPECT(sign_in(&r, "pat", token, "10.0.0.7:1").proved.ok == 1);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.disable", "name", "pat") == 0);
    EXPECT(sign_in(&r, "pat", token, "10.0.0.7:1").proved.ok == 0);
    EXPECT(CALL(&r, ADMIN_ADMINISTRATOR, "root", "user.enable", "name", "pat") == 0);
    EXPECT(sign_in(&r, "pat", token, "10.0.0.7:1").proved.ok == 1);
    room_close(&r);
}

static void a_token_ends(void)
{
    Room r;
    char at[32];
    Bytes result;

    room_open(&r);
    room_people(&r);
    (void)snprintf(at, sizeof at, "%llu", (unsigned long long)(r.k->now.unix_ns + SECOND_NS));
    const char *const words[] = { "token.create", "user", "dana", "expires_ns", at, NULL };
    EXPECT(room_call(&r, ADMIN_ADMINISTRATOR, "root", words, &result) == 0);
    const Bytes token = room_member(result, "token");
    EXPECT(sign_in(&r, "dana", token, "10.0.0.7:1").proved.ok == 1);
    r.k->now.unix_ns += 2 * SECOND_NS;
    EXPECT(sign_in(&r, "dana", token, "10.0.0.7:1").proved.ok == 0);
    room_close(&r);
}

static Err revoke_one(void *ctx, const StoreVerifier *v)
{
    const IdText id = id_text('t', &v->id);
    Room *r = ctx;

    return v->kind == VERIFIER_TOKEN
               ? store_token_revoke(r->k->store, text_of(id.text), r->k->now.unix_ns)
               : OK;
}

static void a_revoked_token_is_over(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    const Bytes token = token_of(&r, "dana");
    EXPECT(sign_in(&r, "dana", token, "10.0.0.7:1").proved.ok == 1);
    EXPECT(store_verifier_each(r.k->store, LIT("dana"), revoke_one, &r) == OK);
    EXPECT(sign_in(&r, "dana", token, "10.0.0.7:1").proved.ok == 0);
    room_close(&r);
}

static void unknown_users_look_the_same(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    const Try known = sign_in(&r, "dana", LIT("wrong"), "10.0.0.7:1");
    const Try once = sign_in(&r, "nobody", LIT("wrong"), "10.0.0.7:1");
    const Try twice = sign_in(&r, "nobody", LIT("wrong"), "10.0.0.7:1");
    const Try other = sign_in(&r, "someone", LIT("wrong"), "10.0.0.7:1");

    EXPECT(known.begun.server_first.len == once.begun.server_first.len);
    EXPECT(known.first.rounds == once.first.rounds);
    EXPECT(known.first.salt_bytes == once.first.salt_bytes);
    EXPECT(memcmp(once.first.salt, twice.first.salt, once.first.salt_bytes) == 0);
    EXPECT(memcmp(once.first.salt, other.first.salt, once.first.salt_bytes) != 0);
    EXPECT(once.proved.ok == 0 && once.proved.server_final.len == known.proved.server_final.len);
    EXPECT(once.proved.name.len == 0 && known.proved.name.len == 0);
    room_close(&r);
}

static void too_many_failures(void)
{
    Room r;

    room_open(&r);
    room_people(&r);
    for (int i = 0; i < ATTEMPTS_FREE; i++)
        EXPECT(sign_in(&r, "dana", LIT("wrong"), "10.0.0.7:1").proved.ok == 0);
    EXPECT(sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:2").proved.ok == 0);
    EXPECT(sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.8:1").proved.ok == 1);
    EXPECT(sign_in(&r, "pat", text_of(PASSWORD), "10.0.0.7:1").proved.ok == 1);
    r.k->now.mono_ns += 61 * SECOND_NS;
    EXPECT(sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:1").proved.ok == 1);
    room_close(&r);
}

static void a_proof_works_once_and_for_its_worker(void)
{
    Room r;
    SigninBeginAnswer begun;
    SigninProveAnswer proved;

    room_open(&r);
    room_people(&r);
    const SigninBegin begin = { .user = LIT("dana"),
                                .resource = LIT("ehr"),
                                .peer = LIT("10.0.0.7:1"),
                                .client_first_bare = LIT(BARE) };
    EXPECT(signin_begin(r.k, &r.worker.writer, &begin, &r.arena, &begun) == OK);
    const SigninProve prove = { .session = begun.session };
    EXPECT(signin_prove(r.k, &(Id){ { 2 } }, &prove, &r.arena, &proved) == OK && proved.ok == 0);
    EXPECT(signin_prove(r.k, &r.worker.writer, &(SigninProve){ .session = { { 0 } } }, &r.arena,
                        &proved) == OK);
    EXPECT(proved.ok == 0);
    const Try t = sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:1");
    const SigninProve again = { .session = t.begun.session };
    EXPECT(signin_prove(r.k, &r.worker.writer, &again, &r.arena, &proved) == OK && proved.ok == 0);
    room_close(&r);
}

static void no_record_no_session(void)
{
    Room r;
    uint64_t live;

    room_open(&r);
    room_people(&r);
    r.k->diary.failed = true;
    EXPECT(sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:1").proved.ok == 0);
    EXPECT(store_session_live_count(r.k->store, &live) == OK && live == 0);
    r.k->diary.failed = false;
    EXPECT(sign_in(&r, "dana", text_of(PASSWORD), "10.0.0.7:1").proved.ok == 1);
    room_close(&r);
}

/* Right password each time; what differs is what the client believes of its connection. */
static void the_binding_is_checked_here(void)
{
    static const char P[] = "p=tls-server-end-point,,";
    static const Bytes OURS = LIT_INIT("0123456789abcdef0123456789abcdef"),
                       OTHER = LIT_INIT("0123456789abcdef0123456789abcdeX");
    const struct {
        bool certificate;
        Saying saying;
        uint8_t ok;
    } CASES[] = {
        { true, { "10.0.0.7:1", P, OURS, 1 }, 1 },
        { true, { "10.0.0.7:1", P, OTHER, 1 }, 0 },
        { true, { "10.0.0.7:1", P, { 0 }, 1 }, 0 },
        { true, { "10.0.0.7:1", P, OURS, 0 }, 0 }, /* bound, and not over TLS */
        { true, { "10.0.0.7:1", "n,,", { 0 }, 1 }, 1 },
        { true, { "10.0.0.7:1", "n,,", OURS, 1 }, 0 },
        { true, { "10.0.0.7:1", "y,,", { 0 }, 1 }, 0 }, /* our offer was taken away */
        { true, { "10.0.0.7:1", "y,,", { 0 }, 0 }, 1 },
        { false, { "10.0.0.7:1", P, OURS, 1 }, 0 },
        { false, { "10.0.0.7:1", P, { 0 }, 1 }, 0 },
        { false, { "10.0.0.7:1", "y,,", { 0 }, 1 }, 1 },
    };
    KeyPair pair = pair_of("P-256");
    const char *why;
    TlsKey *key;
    Room r;

    room_open(&r);
    room_people(&r);
    EXPECT(tls_key_new(buf_view(&pair.key), buf_view(&pair.certificate), &key, &why) == OK);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        Handshakes *h = &r.k->edition->handshakes;

        h->key = CASES[i].certificate ? key : NULL;
        h->certificate.binding_len = CASES[i].certificate ? OURS.len : 0;
        memcpy(h->certificate.binding, OURS.ptr, OURS.len);
        memset(r.k->signins.attempts, 0, sizeof r.k->signins.attempts);
        EXPECT(sign_in_saying(&r, "dana", text_of(PASSWORD), &CASES[i].saying).proved.ok ==
               CASES[i].ok);
    }
    r.k->edition->handshakes.key = key;
    room_close(&r);
    pair_done(&pair);
}

/* The worker tells what it saw; the rules are held against it here. */
static void a_client_certificate_is_a_second_factor(void)
{
    static const Bytes EXEMPT[] = { LIT_INIT("agent") };
    static const struct {
        const char *user, *name;
        CertificateState state;
        bool exemptions;
        const char *password;
        uint32_t at_begin, at_proof;
        uint8_t ok;
    } CASES[] = {
        { "dana", "dana", CERTIFICATE_HOLDS, false, PASSWORD, 0, 0, 1 },
        { "dana", "dana", CERTIFICATE_HOLDS, false, "wrong", 0, 0, 0 },
        { "dana", "pat", CERTIFICATE_HOLDS, false, PASSWORD, CHP_3304, 0, 0 },
        { "dana", "dana", CERTIFICATE_WRONG, false, PASSWORD, CHP_3304, 0, 0 },
        { "dana", "dana", 77, false, PASSWORD, CHP_3304, 0, 0 },
        { "dana", "", CERTIFICATE_NONE, false, PASSWORD, CHP_3304, 0, 0 },
        { "nobody", "", CERTIFICATE_NONE, false, PASSWORD, CHP_3304, 0, 0 },
        { "dana", "", CERTIFICATE_NONE, true, PASSWORD, 0, CHP_3304, 0 },
        { "dana", "", CERTIFICATE_NONE, true, "wrong", 0, CHP_3304, 0 },
        { "nobody", "", CERTIFICATE_NONE, true, PASSWORD, 0, CHP_3304, 0 },
        { "bot", "", CERTIFICATE_NONE, true, "wrong", 0, 0, 0 },
        { "bot", "dana", CERTIFICATE_HOLDS, true, "wrong", CHP_3304, 0, 0 },
    };
    Room r;

    room_open(&r);
    room_people(&r);
    ServerTls *tls = &r.k->edition->config.gateway.tls;
    tls->client_ca = LIT("file:/clients.pem");
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(buf_done) Buf names = { 0 };
        SigninBegin begin = { .certificate = (uint8_t)CASES[i].state };

        buf_init(&names, 256);
        EXPECT(pack_item(&names, text_of(CASES[i].name)) == OK);
        if (CASES[i].state != CERTIFICATE_NONE)
            begin.certificate_names.packed = buf_view(&names);
        tls->client_exempt = (Names){ EXEMPT, CASES[i].exemptions };
        memset(r.k->signins.attempts, 0, sizeof r.k->signins.attempts);
        const Try t = sign_in_with(&r, CASES[i].user, text_of(CASES[i].password),
                                   &(Saying){ .peer = "10.0.0.7:1", .gs2 = "n,," }, begin);
        EXPECT(t.begun.refused == CASES[i].at_begin && t.proved.refused == CASES[i].at_proof);
        EXPECT(t.proved.ok == CASES[i].ok);
        EXPECT((t.begun.server_first.len == 0) == (CASES[i].at_begin != 0));
    }
    /* Rules that are long gone. */
    const SigninBegin old = { .user = LIT("dana"), .client_first_bare = LIT(BARE), .epoch = 99 };
    SigninBeginAnswer begun = { 0 };
    EXPECT(signin_begin(r.k, &r.worker.writer, &old, &r.arena, &begun) == OK);
    EXPECT(begun.refused == CHP_3304);
    room_close(&r);
}

int main(void)
{
    TEST(a_password_and_a_token);
    TEST(keys_are_kept_wrapped);
    TEST(those_who_may_not);
    TEST(a_token_ends);
    TEST(a_revoked_token_is_over);
    TEST(unknown_users_look_the_same);
    TEST(too_many_failures);
    TEST(a_proof_works_once_and_for_its_worker);
    TEST(no_record_no_session);
    TEST(the_binding_is_checked_here);
    TEST(a_client_certificate_is_a_second_factor);
    return 0;
}
