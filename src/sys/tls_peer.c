/* A client's certificate. The handshake proves that the client has its key, and takes whatever it
 * shows: an alert would say nothing to whoever reads an error message. What the certificate is
 * worth is asked afterwards, on the caller's own stack: a job's has 32 KiB and no guard below. */
#include "sys/tls_peer.h"

#include "base/text.h"
#include "sys/tls_parts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { CHAIN_BYTES_MAX = 32 << 10, DEPTH_MAX = 4, SUBJECT_MAX = 256, NAME_MAX_BYTES = 255 };

/* --- whom to believe -------------------------------------------------------------------------- */

static int take_any(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    return 1; /* tls_peer_wrong() says what it is worth */
}

static bool take_authority(TlsContext *c, X509 *x, size_t at)
{
    (void)at;
    return X509_STORE_add_cert(c->clients, x) == 1 && SSL_CTX_add_client_CA(c->ctx, x) == 1;
}

static Err take_revoked(TlsContext *c, Bytes pem)
{
    BIO *bio = tls_bio_of(pem);
    size_t count = 0;
    bool ok = bio != NULL;

    ERR_clear_error();
    for (X509_CRL *crl = NULL; ok; X509_CRL_free(crl)) {
        crl = PEM_read_bio_X509_CRL(bio, NULL, tls_no_password, NULL);
        if (crl == NULL)
            break;
        count++;
        ok = X509_STORE_add_crl(c->clients, crl) == 1;
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    ERR_clear_error();
    return ok && at_end && count > 0 &&
                   X509_STORE_set_flags(c->clients,
                                        X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1
               ? OK
               : ERR_MALFORMED;
}

Err tls_server_ask_clients(TlsContext *c, Bytes ca_pem, Bytes crl_pem, const char **ret_why)
{
    *ret_why = "no memory";
    c->clients = X509_STORE_new();
    if (c->clients == NULL)
        return ERR_LIMIT;
    *ret_why = "no certificate in PEM is in it, or one is broken";
    TRY(tls_each_certificate(ca_pem, take_authority, c));
    *ret_why = "no revocation list in PEM is in it, or one is broken";
    if (crl_pem.len > 0)
        TRY(take_revoked(c, crl_pem));
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(c->ctx, take_any, NULL);
    SSL_CTX_set_max_cert_list(c->ctx, CHAIN_BYTES_MAX);
    return OK;
}

/* --- what it is worth ------------------------------------------------------------------------- */

static const char *words(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "it, or one that it rests on, has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "it, or one that it rests on, is not valid yet";
    case X509_V_ERR_CERT_REVOKED:
        return "it, or one that it rests on, is revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return "there is no revocation list of its issuer";
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return "the revocation list of its issuer has expired";
    case X509_V_ERR_INVALID_PURPOSE:
        return "it is not for clients";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return "it is not issued by an authority that the gateway believes";
    default:
        return X509_verify_cert_error_string(error);
    }
}

const char *tls_peer_wrong(const TlsContext *c, const Tls *t)
{
    X509 *x = SSL_get0_peer_certificate(t->ssl);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    const char *why = "it cannot be checked";

    if (ctx != NULL && x != NULL && c->clients != NULL &&
        X509_STORE_CTX_init(ctx, c->clients, x, SSL_get_peer_cert_chain(t->ssl)) == 1 &&
        X509_STORE_CTX_set_default(ctx, "ssl_client") == 1) {
        X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

        X509_VERIFY_PARAM_set_auth_level(p, SSL_CTX_get_security_level(c->ctx));
        X509_VERIFY_PARAM_set_depth(p, DEPTH_MAX);
        why = X509_verify_cert(ctx) == 1 ? NULL : words(X509_STORE_CTX_get_error(ctx));
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return why;
}

/* --- what it says ----------------------------------------------------------------------------- */

static Err read_subject(const X509 *x, Arena *a, Bytes *ret)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text;

    if (out == NULL ||
        X509_NAME_print_ex(out, X509_get_subject_name(x), 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0) {
        BIO_free(out);
        return ERR_LIMIT;
    }
    const long len = BIO_get_mem_data(out, &text);
    const Bytes whole = { (const uint8_t *)text, len > 0 ? (size_t)len : 0 };
    const Err err = arena_copy(a, utf8_upto(whole, SUBJECT_MAX), ret);
    BIO_free(out);
    return err;
}

/* Nothing that reads differently than it compares: no NUL, no control character, UTF-8. */
static bool is_plain(Bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= NAME_MAX_BYTES && utf8_valid(name);
}

static Err add_name(Arena *a, Bytes name, TlsPeer *ret)
{
    if (!is_plain(name) || ret->name_count == TLS_PEER_NAMES_MAX)
        return OK;
    TRY(arena_copy(a, name, &ret->names[ret->name_count]));
    ret->name_count++;
    return OK;
}

/* Of several nobody can say which one is meant: then there is none. */
static Err read_common_name(const X509 *x, Arena *a, TlsPeer *ret)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return OK;
    const int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len < 0)
        return OK;
    const Err err = add_name(a, (Bytes){ text, (size_t)len }, ret);
    OPENSSL_free(text);
    return err;
}

static Err read_mail_names(const X509 *x, Arena *a, TlsPeer *ret)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    Err err = OK;

    for (int i = 0; err == OK && i < sk_GENERAL_NAME_num(list); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(list, i);

        if (n->type != GEN_EMAIL)
            continue;
        err = add_name(a,
                       (Bytes){ ASN1_STRING_get0_data(n->d.rfc822Name),
                                (size_t)ASN1_STRING_length(n->d.rfc822Name) },
                       ret);
    }
    GENERAL_NAMES_free(list);
    return err;
}

Err tls_peer_read(const Tls *t, Arena *a, TlsPeer *ret)
{
    const X509 *x = SSL_get0_peer_certificate(t->ssl);
    TlsPeer p = { .shown = x != NULL };
    unsigned len = 0;

    if (x != NULL) {
        if (X509_digest(x, EVP_sha256(), p.sha256, &len) != 1)
            return ERR_LIMIT;
        TRY(read_subject(x, a, &p.subject));
        TRY(read_common_name(x, a, &p));
        TRY(read_mail_names(x, a, &p));
    }
    ERR_clear_error();
    *ret = p;
    return OK;
}
