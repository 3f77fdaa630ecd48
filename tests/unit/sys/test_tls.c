/* TLS over socket pairs: cut anywhere, slow, with a keeper that is late, absent or wrong. */
#include "tls_pair.h"

#include "sys/tls_parts.h"

#include <signal.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

/* --- handshakes ---------------------------------------------------------------------------------
 */

static void every_kind_of_key(void)
{
    static const char *const KINDS[] = { "P-256", "P-384", "RSA" };

    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        Ends e;
        uint8_t room[16];
        size_t n;

        ends_begin(&e, KINDS[i]);
        ends_open(&e, "localhost");
        ends_shake(&e);
        EXPECT(strcmp(tls_version(e.accepted), "TLSv1.3") == 0);
        EXPECT(text_eq(text_of(tls_cipher(e.accepted)), text_of(tls_cipher(e.connected))));
        EXPECT(text_eq(tls_binding(e.accepted), tls_binding(e.connected)));
        EXPECT(tls_binding(e.accepted).len == 32);
        EXPECT(tls_write(e.connected, LIT("hello"), &n) == OK && n == 5);
        EXPECT(tls_read(e.accepted, room, sizeof room, &n) == OK && n == 5);
        EXPECT(text_eq((Bytes){ room, n }, LIT("hello")));
        EXPECT(tls_read(e.accepted, room, sizeof room, &n) == ERR_MORE);
        ends_close(&e);
        ends_done(&e);
    }
}

/* At most `budget` bytes from one socket to the other. True: something went, or the end was told.
 */
static size_t pass(int from, int to, size_t budget)
{
    uint8_t room[4096];
    const ssize_t n = recv(from, room, budget < sizeof room ? budget : sizeof room, MSG_DONTWAIT);

    if (n <= 0)
        return 0;
    EXPECT(send(to, room, (size_t)n, MSG_NOSIGNAL) == n);
    return (size_t)n;
}

typedef struct Relay {
    Ends e;
    int server[2], client[2]; /* [0]: the TLS end, [1]: ours */
} Relay;

static void relay_open(Relay *r)
{
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->server) == 0);
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->client) == 0);
    EXPECT(tls_accept(r->e.server, r->server[0], TLS_ALPN_REQUIRED, &r->e.accepted) == OK);
    EXPECT(tls_connect(r->e.client, r->client[0], "127.0.0.1", &r->e.connected) == OK);
}

static void relay_close(Relay *r)
{
    tls_free(r->e.accepted);
    tls_free(r->e.connected);
    for (int i = 0; i < 2; i++) {
        if (r->server[i] >= 0)
            close(r->server[i]);
        if (r->client[i] >= 0)
            close(r->client[i]);
    }
}

static void one_byte_at_a_time(void)
{
    Relay r;
    size_t passed = 0, n;
    uint8_t room[64];

    ends_begin(&r.e, "P-256");
    relay_open(&r);
    for (int i = 0; i < 100000 && !(tls_is_open(r.e.accepted) && tls_is_open(r.e.connected)); i++) {
        const Err ours = tls_handshake(r.e.accepted), theirs = tls_handshake(r.e.connected);

        EXPECT((ours == OK || ours == ERR_MORE) && (theirs == OK || theirs == ERR_MORE));
        (void)ends_sign(&r.e, r.e.accepted);
        passed += pass(r.server[1], r.client[1], 1) + pass(r.client[1], r.server[1], 1);
    }
    EXPECT(tls_is_open(r.e.accepted) && tls_is_open(r.e.connected) && passed > 1000);
    EXPECT(tls_write(r.e.connected, LIT("hello"), &n) == OK);
    while (pass(r.client[1], r.server[1], 1) == 1 &&
           tls_read(r.e.accepted, room, sizeof room, &n) == ERR_MORE)
        EXPECT(!tls_has_pending(r.e.accepted)); /* half a record is nothing to come back for */
    EXPECT(n == 5);
    relay_close(&r);
    ends_done(&r.e);
}

/* The client's bytes stop after `cut` of them, for every cut: an end, never a hang or a crash. */
static bool cut_at(Relay *r, size_t cut)
{
    size_t left = cut;
    Err ours = ERR_MORE;

    relay_open(r);
    for (int i = 0; i < 200 && ours == ERR_MORE; i++) {
        ours = tls_handshake(r->e.accepted);
        (void)!tls_handshake(r->e.connected);
        (void)ends_sign(&r->e, r->e.accepted);
        (void)pass(r->server[1], r->client[1], 4096);
        left -= left > 0 ? pass(r->client[1], r->server[1], left) : 0;
        if (left == 0 && r->server[1] >= 0) {
            close(r->server[1]);
            r->server[1] = -1;
        }
    }
    const bool complete = ours == OK;
    EXPECT(complete || ours == ERR_IO);
    EXPECT(complete || !tls_is_open(r->e.accepted));
    relay_close(r);
    return complete;
}

static void cut_at_every_byte(void)
{
    Relay r;
    size_t cut = 0;

    ends_begin(&r.e, "P-256");
    while (cut < 5000 && !cut_at(&r, cut))
        cut++;
    EXPECT(cut > 200 && cut < 5000);
    ends_done(&r.e);
}

/* --- who signs -----------------------------------------------------------------------------------
 */

static void step_until_signature(Ends *e)
{
    for (int i = 0; i < 20 && tls_sign_wanted(e->accepted) == NULL; i++) {
        EXPECT(tls_handshake(e->connected) == ERR_MORE);
        EXPECT(tls_handshake(e->accepted) == ERR_MORE);
    }
    EXPECT(tls_sign_wanted(e->accepted) != NULL);
}

static void a_late_keeper_holds_up_nobody_else(void)
{
    enum { MANY = 20 };
    Ends all[MANY], shared;

    ends_begin(&shared, "RSA");
    for (int i = 0; i < MANY; i++) {
        all[i] = shared;
        ends_open(&all[i], "localhost");
        step_until_signature(&all[i]);
        EXPECT(tls_sign_wanted(all[i].accepted)->scheme == TLS_RSA_PSS);
        EXPECT(tls_handshake(all[i].accepted) == ERR_MORE); /* asked once, not twice */
        EXPECT(!tls_events(all[i].accepted).readable && !tls_events(all[i].accepted).writable);
    }
    for (int i = MANY - 1; i >= 0; i--) {
        EXPECT(ends_sign(&all[i], all[i].accepted));
        ends_shake(&all[i]);
        ends_close(&all[i]);
    }
    ends_done(&shared);
}

static void a_keeper_that_never_answers(void)
{
    Ends e;

    ends_begin(&e, "P-256");
    ends_open(&e, "localhost");
    step_until_signature(&e);
    ends_close(&e); /* the sleeping job must end: the leak check would tell */
    ends_done(&e);
}

static void what_is_no_signature(void)
{
    static const char *const KINDS[] = { "P-256", "RSA" };

    for (size_t kind = 0; kind < COUNT_OF(KINDS); kind++) {
        Ends e;
        uint8_t wrong[256] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };
        const Bytes answers[] = { { 0 }, LIT("x"), { wrong, 8 }, VIEW(wrong) };

        ends_begin(&e, KINDS[kind]);
        for (size_t i = 0; i < COUNT_OF(answers); i++) {
            Err ours = ERR_MORE, theirs = ERR_MORE;

            ends_open(&e, "localhost");
            step_until_signature(&e);
            tls_signed(e.accepted, answers[i]);
            for (int k = 0; k < 20; k++) {
                ours = ours == ERR_MORE ? tls_handshake(e.accepted) : ours;
                theirs = theirs == ERR_MORE ? tls_handshake(e.connected) : theirs;
            }
            EXPECT(theirs != OK && theirs != ERR_MORE && !tls_is_open(e.connected));
            EXPECT(ours == ERR_IO && !tls_is_open(e.accepted));
            ends_close(&e);
        }
        ends_done(&e);
    }
}

static Err sign_with(const Ends *e, TlsScheme scheme, Bytes data)
{
    Buf out;

    buf_init(&out, TLS_SIGN_MAX);
    const Err err = tls_key_sign(e->key, scheme, data, &out);
    EXPECT(err == OK || buf_len(&out) == 0);
    buf_done(&out);
    return err;
}

/* The key signs digests and encoded digests; a block of the asker's own making is none. */
static void the_key_is_no_oracle(void)
{
    uint8_t block[256] = { 0 }, pkcs1[256] = { 0x00, 0x01 };
    Ends rsa, ec;

    ends_begin(&rsa, "RSA");
    ends_begin(&ec, "P-256");
    memset(pkcs1 + 2, 0xff, sizeof pkcs1 - 2);
    block[255] = 0xbc;
    EXPECT(sign_with(&rsa, TLS_RSA_PSS, VIEW(block)) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, TLS_RSA_PSS, VIEW(pkcs1)) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, TLS_RSA_PSS, (Bytes){ block, 32 }) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, TLS_RSA_PSS, (Bytes){ 0 }) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, TLS_RSA_PKCS1, (Bytes){ block, 20 }) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, TLS_RSA_PKCS1, (Bytes){ block, 36 }) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, TLS_RSA_PKCS1, (Bytes){ block, 32 }) == OK);
    EXPECT(sign_with(&rsa, TLS_ECDSA, (Bytes){ block, 32 }) == ERR_REFUSED);
    EXPECT(sign_with(&rsa, (TlsScheme)9, (Bytes){ block, 32 }) == ERR_REFUSED);
    EXPECT(sign_with(&ec, TLS_ECDSA, (Bytes){ block, 32 }) == OK);
    EXPECT(sign_with(&ec, TLS_ECDSA, (Bytes){ block, 48 }) == OK);
    EXPECT(sign_with(&ec, TLS_ECDSA, (Bytes){ block, 20 }) == ERR_REFUSED);
    EXPECT(sign_with(&ec, TLS_RSA_PKCS1, (Bytes){ block, 32 }) == ERR_REFUSED);
    EXPECT(sign_with(&ec, TLS_RSA_PSS, VIEW(block)) == ERR_REFUSED);
    ends_done(&rsa);
    ends_done(&ec);
}

/* A real PSS block with one bit turned over is none, unless the bit is the salt's. */
static void every_bit_of_a_pss_block_counts(void)
{
    enum { HASH = 32, SALT_FROM = 256 - 2 * HASH - 1, SALT_END = 256 - HASH - 1 };
    uint8_t block[256];
    Ends e;

    ends_begin(&e, "RSA");
    ends_open(&e, "localhost");
    step_until_signature(&e);
    const TlsSignAsk *ask = tls_sign_wanted(e.accepted);
    EXPECT(ask->data.len == sizeof block);
    memcpy(block, ask->data.ptr, sizeof block);
    EXPECT(sign_with(&e, TLS_RSA_PSS, VIEW(block)) == OK);
    for (size_t bit = 0; bit < 8 * sizeof block; bit++) {
        const bool in_salt = bit / 8 >= SALT_FROM && bit / 8 < SALT_END;

        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(sign_with(&e, TLS_RSA_PSS, VIEW(block)) == (in_salt ? OK : ERR_REFUSED));
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ends_close(&e);
    ends_done(&e);
}

/* --- whom a client believes
 * ------------------------------------------------------------------------ */

static Err connect_to(const KeyPair *server, const KeyPair *ca, const char *host,
                      const char **ret_why)
{
    Ends e = { 0 };
    Err ours = ERR_MORE, theirs = ERR_MORE;
    static char why[128];

    EXPECT(tls_key_new(buf_view(&server->key), buf_view(&server->certificate), &e.key, ret_why) ==
           OK);
    EXPECT(tls_server_new(buf_view(&server->certificate), &e.server, ret_why) == OK);
    EXPECT(tls_client_new(buf_view(&ca->certificate), &e.client, ret_why) == OK);
    ends_open(&e, host);
    for (int i = 0; i < 50; i++) {
        ours = ours == ERR_MORE ? tls_handshake(e.accepted) : ours;
        theirs = theirs == ERR_MORE ? tls_handshake(e.connected) : theirs;
        (void)ends_sign(&e, e.accepted);
    }
    (void)snprintf(why, sizeof why, "%s", tls_why(e.connected));
    *ret_why = why;
    ends_close(&e);
    e.pair = (KeyPair){ 0 };
    ends_done(&e);
    return theirs;
}

static void whom_a_client_believes(void)
{
    const PairAsk old = { "P-256", "DNS:localhost", -7200, -3600, EVP_sha256() };
    const PairAsk early = { "P-256", "DNS:localhost", 3600, 7200, EVP_sha256() };
    const PairAsk wild = { "P-256", "DNS:*.example.org", -60, 3600, EVP_sha256() };
    KeyPair good = pair_of("P-256"), other = pair_of("P-256"), expired = pair_make(&old),
            not_yet = pair_make(&early), star = pair_make(&wild);
    const char *why;

    EXPECT(connect_to(&good, &good, "localhost", &why) == OK);
    EXPECT(connect_to(&good, &good, "127.0.0.1", &why) == OK);
    EXPECT(connect_to(&star, &star, "db.example.org", &why) == OK);
    EXPECT(connect_to(&star, &star, "a.db.example.org", &why) == ERR_REFUSED);
    EXPECT(connect_to(&good, &good, "127.0.0.2", &why) == ERR_REFUSED);
    EXPECT(strstr(why, "IP address mismatch") != NULL);
    EXPECT(connect_to(&good, &good, "example.org", &why) == ERR_REFUSED);
    EXPECT(strstr(why, "hostname mismatch") != NULL);
    EXPECT(connect_to(&good, &good, "self", &why) == ERR_REFUSED); /* the subject is no name */
    EXPECT(connect_to(&good, &other, "localhost", &why) == ERR_REFUSED);
    EXPECT(connect_to(&expired, &expired, "localhost", &why) == ERR_REFUSED);
    EXPECT(strstr(why, "expired") != NULL);
    EXPECT(connect_to(&not_yet, &not_yet, "localhost", &why) == ERR_REFUSED);
    pair_done(&good);
    pair_done(&other);
    pair_done(&expired);
    pair_done(&not_yet);
    pair_done(&star);
}

static void what_a_certificate_says(void)
{
    static const struct {
        const char *kind;
        const EVP_MD *(*digest)(void);
        size_t binding;
    } CASES[] = { { "P-256", EVP_sha256, 32 }, { "P-384", EVP_sha384, 48 },
                  { "RSA", EVP_sha512, 64 },   { "RSA", EVP_sha1, 32 },
                  { "RSA", EVP_md5, 32 },      { "ED25519", NULL, 0 } };
    const char *why;
    TlsCertificate c;
    TlsKey *key;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        KeyPair p = pair_make(&(PairAsk){ CASES[i].kind, "DNS:x", -60, 86400,
                                          CASES[i].digest != NULL ? CASES[i].digest() : NULL });

        EXPECT(tls_certificate_read(buf_view(&p.certificate), &c, &why) == OK);
        EXPECT(c.binding_len == CASES[i].binding && c.not_after_s - c.not_before_s == 86460);
        if (CASES[i].binding == 0)
            EXPECT(tls_key_new(buf_view(&p.key), buf_view(&p.certificate), &key, &why) ==
                   ERR_MALFORMED);
        pair_done(&p);
    }
    EXPECT(tls_certificate_read((Bytes){ 0 }, &c, &why) == ERR_MALFORMED);
    EXPECT(tls_certificate_read(LIT("-----BEGIN CERTIFICATE-----\nMII\n"), &c, &why) ==
           ERR_MALFORMED);
}

/* --- bytes
 * ------------------------------------------------------------------------------------------ */

/* A reader that takes a little now and then; the writer's buffer moves between two tries. */
static void partial_writes_and_slow_readers(void)
{
    enum { TOTAL = 3 << 20 };
    const int small = 4096;
    uint8_t *text = malloc(TOTAL), *copy = malloc(TOTAL), room[3000];
    size_t written = 0, got = 0, blocked = 0, n;
    Ends e;

    EXPECT(text != NULL && copy != NULL);
    for (size_t i = 0; i < TOTAL; i++)
        text[i] = (uint8_t)(i * 7 + i / 251);
    ends_begin(&e, "P-256");
    ends_open(&e, "localhost");
    EXPECT(setsockopt(e.fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    ends_shake(&e);
    while (got < TOTAL) {
        while (written < TOTAL) {
            memcpy(copy, text + written, TOTAL - written < 100000 ? TOTAL - written : 100000);
            const Bytes out = { copy, TOTAL - written < 100000 ? TOTAL - written : 100000 };
            const Err err = tls_write(e.accepted, out, &n);

            EXPECT(err == OK || err == ERR_MORE);
            written += n;
            if (err == ERR_MORE) {
                EXPECT(tls_events(e.accepted).writable);
                blocked++;
                break;
            }
        }
        const Err err = tls_read(e.connected, room, sizeof room, &n);
        EXPECT(err == OK || err == ERR_MORE);
        EXPECT(memcmp(room, text + got, n) == 0);
        got += n;
    }
    EXPECT(blocked > 10 && written == TOTAL && got == TOTAL);
    ends_close(&e);
    ends_done(&e);
    free(text);
    free(copy);
}

/* Many records come with one read of the socket: poll() tells of them once. */
static void nothing_is_forgotten_in_the_buffer(void)
{
    uint8_t room[8];
    size_t n, got = 0, rounds = 0;
    Ends e;

    ends_begin(&e, "P-256");
    ends_open(&e, "localhost");
    ends_shake(&e);
    EXPECT(!tls_has_pending(e.accepted));
    for (int i = 0; i < 50; i++)
        EXPECT(tls_write(e.connected, LIT("0123456789"), &n) == OK && n == 10);
    EXPECT(tls_read(e.accepted, room, sizeof room, &n) == OK);
    got = n;
    EXPECT(recv(e.fds[0], room, 1, MSG_PEEK | MSG_DONTWAIT) < 0); /* nothing in the socket */
    while (tls_has_pending(e.accepted)) {
        const Err err = tls_read(e.accepted, room, sizeof room, &n);

        EXPECT(err == OK || err == ERR_MORE);
        got += n;
        EXPECT(++rounds < 1000);
    }
    EXPECT(got == 500);
    ends_close(&e);
    ends_done(&e);
}

static Err say(Tls *from, Tls *to)
{
    uint8_t room[8];
    size_t n;

    TRY(tls_write(from, LIT("hello"), &n));
    TRY(tls_read(to, room, sizeof room, &n));
    return text_eq((Bytes){ room, n }, LIT("hello")) ? OK : ERR_MALFORMED;
}

/* New keys may come at any time in TLS 1.3; a new handshake in TLS 1.2 may not. */
static void new_keys_but_no_new_handshake(void)
{
    uint8_t room[8];
    size_t n;
    Ends e;

    ends_begin(&e, "RSA");
    ends_open(&e, "localhost");
    ends_shake(&e);
    for (int i = 0; i < 10; i++) {
        EXPECT(SSL_key_update(e.connected->ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        EXPECT(say(e.connected, e.accepted) == OK && say(e.accepted, e.connected) == OK);
    }
    ends_close(&e);

    ends_open(&e, "localhost");
    EXPECT(SSL_set_max_proto_version(e.connected->ssl, TLS1_2_VERSION) == 1);
    SSL_clear_options(e.connected->ssl, SSL_OP_NO_RENEGOTIATION);
    ends_shake(&e);
    EXPECT(strcmp(tls_version(e.accepted), "TLSv1.2") == 0);
    EXPECT(say(e.connected, e.accepted) == OK && say(e.accepted, e.connected) == OK);
    EXPECT(SSL_renegotiate(e.connected->ssl) == 1);
    (void)SSL_do_handshake(e.connected->ssl);
    EXPECT(tls_read(e.accepted, room, sizeof room, &n) != OK && n == 0);
    EXPECT(SSL_do_handshake(e.connected->ssl) != 1);
    EXPECT(tls_sign_wanted(e.accepted) == NULL);
    ends_close(&e);
    ends_done(&e);
}

static void an_end_is_an_end(void)
{
    uint8_t room[8];
    size_t n;
    Ends e;

    ends_begin(&e, "P-256");
    ends_open(&e, "localhost");
    ends_shake(&e);
    tls_free(e.connected);
    e.connected = NULL;
    EXPECT(tls_read(e.accepted, room, sizeof room, &n) == ERR_IO && n == 0);
    EXPECT(tls_read(e.accepted, room, sizeof room, &n) == ERR_IO);
    EXPECT(tls_write(e.accepted, LIT("x"), &n) == ERR_IO && n == 0);
    ends_close(&e);

    ends_open(&e, "localhost"); /* plain bytes where a handshake is due */
    EXPECT(send(e.fds[1], "Q\0\0\0\005\0 some words", 17, 0) == 17);
    EXPECT(tls_handshake(e.accepted) == ERR_IO);
    EXPECT(tls_write(e.accepted, LIT("x"), &n) == ERR_IO);
    ends_close(&e);
    ends_done(&e);
}

int main(void)
{
#ifdef UNDER_TSAN
    puts("skipped: ThreadSanitizer does not know of OpenSSL's jobs (swapcontext)");
    return 77;
#endif
    (void)signal(SIGPIPE, SIG_IGN); /* as in every process of ours */
    EXPECT(tls_warm() == OK);
    TEST(every_kind_of_key);
    TEST(one_byte_at_a_time);
    TEST(cut_at_every_byte);
    TEST(a_late_keeper_holds_up_nobody_else);
    TEST(a_keeper_that_never_answers);
    TEST(what_is_no_signature);
    TEST(the_key_is_no_oracle);
    TEST(every_bit_of_a_pss_block_counts);
    TEST(whom_a_client_believes);
    TEST(what_a_certificate_says);
    TEST(partial_writes_and_slow_readers);
    TEST(nothing_is_forgotten_in_the_buffer);
    TEST(new_keys_but_no_new_handshake);
    TEST(an_end_is_an_end);
    return 0;
}
