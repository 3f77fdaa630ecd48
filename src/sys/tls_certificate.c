/* What a certificate says: its dates, and its hash for channel binding. */
#include "sys/tls_key.h"
#include "sys/tls_parts.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

/* Never asks for a password. */
int tls_no_password(char *room, int size, int writing, void *ctx)
{
    (void)room;
    (void)size;
    (void)writing;
    (void)ctx;
    return 0;
}

BIO *tls_bio_of(Bytes pem)
{
    return pem.len <= INT_MAX
               ? BIO_new_mem_buf(pem.len > 0 ? (const void *)pem.ptr : "", (int)pem.len)
               : NULL;
}

X509 *tls_next_certificate(BIO *pem)
{
    return PEM_read_bio_X509(pem, NULL, tls_no_password, NULL);
}

/* RFC 5929 §4.1, and libpq: MD5 and SHA-1 become SHA-256; Ed25519 names no hash. */
Err tls_end_point(const X509 *certificate, uint8_t ret[TLS_BINDING_MAX], size_t *ret_len)
{
    int digest = NID_undef;
    unsigned len = 0;

    *ret_len = 0;
    X509 *mutable = (X509 *)(uintptr_t)certificate; /* it caches what it parsed */
    if (X509_get_signature_info(mutable, &digest, NULL, NULL, NULL) != 1 || digest == NID_undef)
        return OK;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    const EVP_MD *md = EVP_get_digestbynid(digest);
    if (md == NULL || EVP_MD_get_size(md) > TLS_BINDING_MAX)
        return OK;
    if (X509_digest(certificate, md, ret, &len) != 1)
        return ERR_LIMIT;
    *ret_len = len;
    return OK;
}

static bool unix_time(const ASN1_TIME *t, uint64_t *ret)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    const time_t s = timegm(&tm);
    *ret = s > 0 ? (uint64_t)s : 0;
    return true;
}

static Err note_end(const X509 *x, TlsCertificate *ret)
{
    uint64_t end_s;

    if (!unix_time(X509_get0_notAfter(x), &end_s))
        return ERR_MALFORMED;
    if (ret->first_end_s == 0 || end_s < ret->first_end_s)
        ret->first_end_s = end_s;
    return OK;
}

static Err read_first(const X509 *x, TlsCertificate *ret)
{
    if (!unix_time(X509_get0_notBefore(x), &ret->not_before_s) ||
        !unix_time(X509_get0_notAfter(x), &ret->not_after_s))
        return ERR_MALFORMED;
    return tls_end_point(x, ret->binding, &ret->binding_len);
}

Err tls_certificate_read(Bytes chain_pem, TlsCertificate *ret, const char **ret_why)
{
    BIO *pem = tls_bio_of(chain_pem);
    size_t count = 0;
    Err err = OK;

    *ret = (TlsCertificate){ 0 };
    if (pem == NULL)
        return ERR_LIMIT;
    ERR_clear_error();
    for (X509 *x = tls_next_certificate(pem); x != NULL; x = tls_next_certificate(pem)) {
        if (count++ == 0)
            err = read_first(x, ret);
        if (err == OK)
            err = note_end(x, ret);
        X509_free(x);
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(pem);
    *ret_why = count == 0 ? "no certificate in PEM is in it" : "a certificate in it is broken";
    return err == OK && (count == 0 || !at_end) ? ERR_MALFORMED : err;
}

static Err note_next(const X509_CRL *crl, uint64_t *ret)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    uint64_t next_s;

    if (next == NULL)
        return OK;
    if (!unix_time(next, &next_s))
        return ERR_MALFORMED;
    if (*ret == 0 || next_s < *ret)
        *ret = next_s;
    return OK;
}

Err tls_revoked_read(Bytes text, uint64_t *ret_next_s, const char **ret_why)
{
    BIO *pem = tls_bio_of(text);
    X509_CRL *crl = NULL;
    size_t count = 0;
    Err err = OK;

    *ret_next_s = 0;
    *ret_why = "no revocation list in PEM is in it, or one is broken";
    if (pem == NULL)
        return ERR_LIMIT;
    ERR_clear_error();
    while (err == OK && (crl = PEM_read_bio_X509_CRL(pem, NULL, tls_no_password, NULL)) != NULL) {
        err = note_next(crl, ret_next_s);
        count++;
        X509_CRL_free(crl);
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(pem);
    return err == OK && (count == 0 || !at_end) ? ERR_MALFORMED : err;
}
