/* What a client's certificate says and what it is worth, for odd ones above all. */
#include "sys/tls_peer.h"

#include "policy/client_certificate.h"
#include "tls_pair.h"

#include "sys/tls_parts.h"

#include <signal.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

typedef struct Name {
    const char *text; /* NULL: none */
    int len;          /* -1: as long as it is */
    int type;         /* MBSTRING_UTF8 and the like */
} Name;

typedef struct Case {
    Name common[2];
    Name mail[2];
    const char *dns, *usage;
    bool is_dana, left_out; /* left_out: it has no name that counts */
    long ends_s;
    const char *wrong; /* part of what is said; NULL: it holds */
} Case;

#define CN(words)                                                                                  \
    {                                                                                              \
        {                                                                                          \
            words, -1, MBSTRING_UTF8                                                               \
        }                                                                                          \
    }
#define OF(words, bytes)                                                                           \
    {                                                                                              \
        {                                                                                          \
            words, bytes, MBSTRING_UTF8                                                            \
        }                                                                                          \
    }

static const Case CASES[] = {
    { .common = CN("dana"), .is_dana = true },
    { .common = CN("dana"), .usage = "clientAuth", .is_dana = true },
    { .common = CN("Dana") },
    { .common = CN("dan") },
    { .common = CN("dana2") },
    { .common = OF("dana\0.evil", 10), .left_out = true },
    { .common = OF("dana\n", 5), .left_out = true },
    { .common = { { "dana", -1, MBSTRING_UTF8 }, { "root", -1, MBSTRING_UTF8 } } },
    { .common = { { "root", -1, MBSTRING_UTF8 }, { "dana", -1, MBSTRING_UTF8 } } },
    { .common = { { "\0d\0a\0n\0a", 8, V_ASN1_BMPSTRING } }, .is_dana = true },
    { .common = CN("Dana of Radiology"), .mail = CN("dana"), .is_dana = true },
    { .mail = { { "a@b", -1, 0 }, { "dana", -1, 0 } }, .is_dana = true },
    { .common = CN("x"), .mail = OF("dana\0@x", 7) },
    { .common = CN("x"), .dns = "DNS:dana,URI:dana,IP:10.0.0.1" },
    { .common = { { NULL, 0, 0 } } },
    { .common = CN("dana"), .usage = "serverAuth", .is_dana = true, .wrong = "not for clients" },
    { .common = CN("dana"), .ends_s = -10, .is_dana = true, .wrong = "has expired" },
};

static void add_mail(X509 *x, const Case *c)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();

    for (size_t i = 0; i < COUNT_OF(c->mail) && c->mail[i].text != NULL; i++) {
        GENERAL_NAME *n = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();

        EXPECT(n != NULL && text != NULL &&
               ASN1_STRING_set(text, c->mail[i].text, c->mail[i].len) == 1);
        GENERAL_NAME_set0_value(n, GEN_EMAIL, text);
        EXPECT(sk_GENERAL_NAME_push(list, n) > 0);
    }
    if (sk_GENERAL_NAME_num(list) > 0)
        EXPECT(X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0) == 1);
    GENERAL_NAMES_free(list);
}

static void add_words(X509 *x, int nid, const char *words)
{
    if (words == NULL)
        return;
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, words);
    EXPECT(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

typedef struct Authority {
    EVP_PKEY *key;
    X509 *own;
    Buf pem;
} Authority;

static X509 *issue(EVP_PKEY *key, const Case *c, const Authority *by)
{
    X509 *x = X509_new();
    X509_NAME *subject;

    EXPECT(x != NULL && X509_set_version(x, X509_VERSION_3) == 1);
    EXPECT(ASN1_INTEGER_set(X509_get_serialNumber(x), rand() + 1L) == 1);
    EXPECT(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
    EXPECT(X509_gmtime_adj(X509_getm_notAfter(x), c->ends_s != 0 ? c->ends_s : 3600) != NULL);
    subject = X509_get_subject_name(x);
    for (size_t i = 0; i < COUNT_OF(c->common) && c->common[i].text != NULL; i++)
        EXPECT(X509_NAME_add_entry_by_txt(subject, "CN", c->common[i].type,
                                          (const unsigned char *)c->common[i].text,
                                          c->common[i].len, -1, 0) == 1);
    EXPECT(X509_set_issuer_name(x, by->own != NULL ? X509_get_subject_name(by->own) : subject) ==
           1);
    EXPECT(X509_set_pubkey(x, key) == 1);
    add_mail(x, c);
    add_words(x, NID_subject_alt_name, c->dns);
    add_words(x, NID_ext_key_usage, c->usage);
    add_words(x, NID_basic_constraints, by->own == NULL ? "critical,CA:TRUE" : NULL);
    EXPECT(X509_sign(x, by->key, EVP_sha256()) > 0);
    return x;
}

static Authority authority(const char *name)
{
    const Case self = { .common = { { name, -1, MBSTRING_UTF8 } } };
    Authority a = { .key = EVP_EC_gen("P-256") };
    BIO *bio = BIO_new(BIO_s_mem());

    a.own = issue(a.key, &self, &a);
    EXPECT(PEM_write_bio_X509(bio, a.own) == 1);
    take_bio(bio, &a.pem);
    return a;
}

static void authority_done(Authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->own);
    buf_done(&a->pem);
}

typedef struct Meeting {
    Ends e;
    EVP_PKEY *key;
    X509 *shown;
} Meeting;

/* A server that asks, a client that shows what `by` issued for `c`; NULL: nothing. */
static void meet(Meeting *m, const Authority *believed, const Authority *by, const Case *c)
{
    const char *why;

    ends_begin(&m->e, "P-256");
    EXPECT(tls_server_ask_clients(m->e.server, buf_view(&believed->pem), (Bytes){ 0 }, &why) == OK);
    m->key = EVP_EC_gen("P-256");
    m->shown = c != NULL ? issue(m->key, c, by) : NULL;
    if (c != NULL)
        EXPECT(SSL_CTX_use_certificate(m->e.client->ctx, m->shown) == 1 &&
               SSL_CTX_use_PrivateKey(m->e.client->ctx, m->key) == 1);
    ends_open(&m->e, "localhost");
    ends_shake(&m->e);
    /* In TLS 1.3 the client is done before the server has seen its certificate. */
    while (!tls_is_open(m->e.accepted))
        EXPECT(tls_handshake(m->e.accepted) != ERR_IO);
}

static void part(Meeting *m)
{
    ends_close(&m->e);
    ends_done(&m->e);
    X509_free(m->shown);
    EVP_PKEY_free(m->key);
}

static void whose_it_is(void)
{
    Authority hospital = authority("hospital");

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const Case *c = &CASES[i];
        CLEANUP(arena_done) Arena arena = { 0 };
        Meeting m;
        TlsPeer p;

        arena_init(&arena, 1 << 16);
        meet(&m, &hospital, &hospital, c);
        EXPECT(tls_peer_read(m.e.accepted, &arena, &p) == OK && p.shown);
        const Names names = { p.names, p.name_count };
        EXPECT(client_certificate_is_of(&names, LIT("dana")) == c->is_dana);
        EXPECT(!client_certificate_is_of(&names, LIT("")));
        EXPECT(!c->left_out || p.name_count == 0);
        const char *wrong = tls_peer_wrong(m.e.server, m.e.accepted);
        EXPECT((wrong == NULL) == (c->wrong == NULL));
        if (wrong != NULL)
            EXPECT(strstr(wrong, c->wrong) != NULL);
        part(&m);
    }
    authority_done(&hospital);
}

static void who_issued_it(void)
{
    Authority hospital = authority("hospital"), twin = authority("hospital");
    const Case c = { .common = CN("dana") };
    CLEANUP(arena_done) Arena arena = { 0 };
    Meeting m;
    TlsPeer p;

    arena_init(&arena, 1 << 16);
    meet(&m, &hospital, &twin, &c); /* the same name, another key */
    EXPECT(tls_peer_wrong(m.e.server, m.e.accepted) != NULL);
    part(&m);

    meet(&m, &hospital, &hospital, NULL);
    EXPECT(tls_peer_read(m.e.accepted, &arena, &p) == OK && !p.shown && p.name_count == 0);
    EXPECT(tls_peer_wrong(m.e.server, m.e.accepted) != NULL);
    part(&m);

    meet(&m, &hospital, &hospital, &c);
    EXPECT(tls_peer_wrong(m.e.server, m.e.accepted) == NULL);
    EXPECT(tls_peer_wrong(m.e.client, m.e.accepted) != NULL); /* believes nobody's clients */
    part(&m);
    authority_done(&hospital);
    authority_done(&twin);
}

static void who_may_come_without(void)
{
    static const Bytes GROUPS[] = { LIT_INIT("local/ward") };
    static const Bytes LISTED[] = { LIT_INIT("agent"), LIT_INIT("user:pat"),
                                    LIT_INIT("group:local/ward") };
    const Names exempt = { LISTED, COUNT_OF(LISTED) }, nobody = { 0 };
    const Identity dana = { .kind = IDENTITY_HUMAN, .name = LIT("dana") };
    const Identity pat = { .kind = IDENTITY_HUMAN, .name = LIT("pat") };
    const Identity bot = { .kind = IDENTITY_AGENT, .name = LIT("bot") };
    const Identity etl = { .kind = IDENTITY_SERVICE, .name = LIT("pat") };
    const Identity nurse = {
        .kind = IDENTITY_HUMAN, .name = LIT("kim"), .groups = GROUPS, .group_count = 1
    };
    const Identity unknown = { 0 };

    EXPECT(!client_certificate_exempt(&exempt, &dana) && client_certificate_exempt(&exempt, &pat));
    EXPECT(client_certificate_exempt(&exempt, &bot) && !client_certificate_exempt(&exempt, &etl));
    EXPECT(client_certificate_exempt(&exempt, &nurse));
    EXPECT(!client_certificate_exempt(&nobody, &bot));
    EXPECT(!client_certificate_exempt(&exempt, &unknown));
}

int main(void)
{
#ifdef UNDER_TSAN
    puts("skipped: ThreadSanitizer does not know of OpenSSL's jobs (swapcontext)");
    return 77;
#endif
    (void)signal(SIGPIPE, SIG_IGN);
    EXPECT(tls_warm() == OK);
    TEST(whose_it_is);
    TEST(who_issued_it);
    TEST(who_may_come_without);
    return 0;
}
