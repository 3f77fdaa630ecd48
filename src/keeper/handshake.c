#include "keeper/handshake.h"

#include "base/text.h"
#include "config/public_files.h"
#include "keeper/keeper_state.h"
#include "sys/log.h"

#include <stdlib.h>

static const uint64_t SECOND_NS = UINT64_C(1000000000);
static const int64_t DAY_S = 86400;

enum { KEY_FILE_MAX = 64 << 10, ANSWER_MAX = 2 * TLS_SIGN_MAX };

/* --- certificate and key ------------------------------------------------------------------------
 */

int64_t handshakes_days_until(uint64_t end_s, uint64_t now_unix_ns)
{
    const int64_t left = (int64_t)end_s - (int64_t)(now_unix_ns / SECOND_NS);

    return left >= 0 ? left / DAY_S : -1;
}

/* Says it, and is no. */
static Err refuse(Buf *why, Err err, const char *what)
{
    TRY(text_format(why, "%s", what));
    return err;
}

static Err check_dates(const Handshakes *h, uint64_t now_unix_ns, Buf *why)
{
    const int64_t days = handshakes_days_until(h->certificate.not_after_s, now_unix_ns);

    if (h->certificate.not_before_s > now_unix_ns / SECOND_NS)
        return refuse(why, ERR_REFUSED, "the certificate is not valid yet");
    if (days < 0)
        return refuse(why, ERR_REFUSED, "the certificate has expired");
    if (days < EXPIRY_WARNING_DAYS)
        log_line(LOG_WARN, "tls", "the certificate expires in %d days", (int)days);
    return OK;
}

static Err read_key(const ServerTls *tls, Bytes chain, TlsKey **ret, Buf *why)
{
    CLEANUP(buf_done) Buf key = { 0 };
    const char *wrong;

    buf_init(&key, KEY_FILE_MAX);
    if (secret_resolve(tls->key, &key) != OK) {
        TRY(text_format(why, "the key (%.*s) cannot be read", SHOW(tls->key)));
        return ERR_IO;
    }
    const Err err = tls_key_new(buf_view(&key), chain, ret, &wrong);
    if (err != OK)
        TRY(text_format(why, "%.*s, %.*s: %s", SHOW(tls->cert), SHOW(tls->key), wrong));
    return err;
}

static Err check_authorities(const Policy *policy, Bytes public_files, Buf *why)
{
    for (size_t i = 0; i < policy->resources.count; i++) {
        const Resource *r = &policy->resources.at[i];
        TlsCertificate ignored;
        const char *wrong;

        if (r->tls.ca.len == 0 ||
            tls_certificate_read(public_file(public_files, r->tls.ca), &ignored, &wrong) == OK)
            continue;
        TRY(text_format(why, "resource %.*s, %.*s: %s", SHOW(r->name), SHOW(r->tls.ca), wrong));
        return ERR_MALFORMED;
    }
    return OK;
}

static void warn_of_end(const char *what, uint64_t end_s, uint64_t now_unix_ns)
{
    const int64_t days = handshakes_days_until(end_s, now_unix_ns);

    if (end_s != 0 && days < EXPIRY_WARNING_DAYS)
        log_line(LOG_WARN, "tls", "%s in %d days, and clients are refused then", what,
                 days < 0 ? 0 : (int)days);
}

/* One that has expired is taken: whom it issued is refused, and the others are not. */
static Err check_clients(const ServerTls *tls, Bytes public_files, Handshakes *ret, Buf *why)
{
    TlsCertificate authority;
    const char *wrong;

    if (tls->client_ca.len == 0)
        return OK;
    Err err = tls_certificate_read(public_file(public_files, tls->client_ca), &authority, &wrong);
    ret->clients_end_s = authority.first_end_s;
    if (err == OK && tls->client_crl.len > 0)
        err = tls_revoked_read(public_file(public_files, tls->client_crl), &ret->revoked_next_s,
                               &wrong);
    if (err != OK)
        TRY(text_format(why, "gateway.tls.client_ca, client_crl: %s", wrong));
    return err;
}

Err handshakes_open(const Config *c, Bytes public_files, uint64_t now_unix_ns, Handshakes *ret,
                    Buf *why)
{
    const ServerTls *tls = &c->gateway.tls;
    const char *wrong;

    TRY(check_authorities(&c->policy, public_files, why));
    if (tls->cert.len == 0)
        return OK;
    const Bytes chain = public_file(public_files, tls->cert);
    const Err err = tls_certificate_read(chain, &ret->certificate, &wrong);
    if (err != OK) {
        TRY(text_format(why, "%.*s: %s", SHOW(tls->cert), wrong));
        return err;
    }
    TRY(check_dates(ret, now_unix_ns, why));
    TRY(check_clients(tls, public_files, ret, why));
    warn_of_end("an authority of clients ends", ret->clients_end_s, now_unix_ns);
    warn_of_end("a list of revoked clients ends", ret->revoked_next_s, now_unix_ns);
    return read_key(tls, chain, &ret->key, why);
}

void handshakes_done(Handshakes *h)
{
    tls_key_free(h->key);
    *h = (Handshakes){ 0 };
}

/* --- signing ------------------------------------------------------------------------------------
 */

bool handshake_may(SignAllowance *a, uint64_t now_mono_ns)
{
    const uint64_t back = (now_mono_ns - a->since_mono_ns) / (SECOND_NS / HANDSHAKES_A_SECOND);

    if (back >= a->used) {
        *a = (SignAllowance){ .since_mono_ns = now_mono_ns };
    } else {
        a->used -= back;
        a->since_mono_ns += back * (SECOND_NS / HANDSHAKES_A_SECOND);
    }
    if (a->used >= HANDSHAKES_BURST)
        return false;
    a->used++;
    return true;
}

/* One signature that is being made. Copies everything: the message dies, the peer may. */
typedef struct Signing {
    uv_work_t work;
    Keeper *keeper;
    KeeperEdition *edition; /* whose key; it stays until we are done */
    Id writer;
    uint64_t question;
    TlsScheme scheme;
    Buf data, signature;
} Signing;

static void signing_free(Signing *s)
{
    s->edition->signing--;
    buf_done(&s->data);
    buf_done(&s->signature);
    free(s);
}

static void reply(Channel *channel, uint64_t question, Bytes signature)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const TlsSignAnswer answer = { .signature = signature };

    buf_init(&body, ANSWER_MAX);
    if (pack_tls_sign_answer(&body, &answer) != OK ||
        channel_reply_to(channel, ASK_TLS_SIGN, question, buf_view(&body), -1) != OK)
        log_line(LOG_ERROR, "tls", "a signature could not be sent");
}

static void sign(uv_work_t *work)
{
    Signing *s = work->data;

    if (tls_key_sign(s->edition->handshakes.key, s->scheme, buf_view(&s->data), &s->signature) !=
        OK)
        buf_truncate(&s->signature, 0);
}

static void is_signed(uv_work_t *work, int status)
{
    Signing *s = work->data;
    const KeeperPeer *peer = keeper_worker(s->keeper, &s->writer);

    if (peer != NULL && peer->channel != NULL)
        reply(peer->channel, s->question, status == 0 ? buf_view(&s->signature) : (Bytes){ 0 });
    signing_free(s);
}

static Err start(Signing *s, const TlsSign *ask)
{
    s->work.data = s;
    s->scheme = (TlsScheme)ask->scheme;
    buf_init(&s->data, TLS_SIGN_MAX);
    buf_init(&s->signature, TLS_SIGN_MAX);
    TRY(buf_append(&s->data, ask->data));
    return uv_queue_work(s->keeper->loop, &s->work, sign, is_signed) == 0 ? OK : ERR_LIMIT;
}

Err handshake_sign(KeeperPeer *peer, uint64_t question, Bytes body)
{
    TlsSign ask;
    Keeper *k = peer->keeper;

    TRY(unpack_tls_sign(body, &ask));
    KeeperEdition *edition = keeper_edition_of(k, ask.epoch);
    if (ask.data.len > TLS_SIGN_MAX || (edition != NULL && edition->handshakes.key == NULL))
        return ERR_MALFORMED;
    if (edition == NULL) { /* a client that took its time over several reloads */
        reply(peer->channel, question, (Bytes){ 0 });
        return OK;
    }
    if (!handshake_may(&peer->signs, k->now.mono_ns)) {
        log_line(LOG_WARN, "tls", "worker %u asks for too many signatures", peer->slot);
        reply(peer->channel, question, (Bytes){ 0 });
        return OK;
    }
    Signing *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_LIMIT;
    *s = (Signing){ .keeper = k, .edition = edition, .writer = peer->writer, .question = question };
    edition->signing++;
    const Err err = start(s, &ask);
    if (err == OK)
        return OK;
    signing_free(s);
    reply(peer->channel, question, (Bytes){ 0 });
    return OK;
}
