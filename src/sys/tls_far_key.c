/* The private half of a server's key, as OpenSSL sees it: a signature is a question to somebody
 * else, and the job (ASYNC_pause_job) sleeps until it is answered.
 *
 * The methods are OpenSSL 1.1.1's, deprecated in 3.0 and there (OPENSSL_API_COMPAT): a provider of
 * our own would be five times as long. */
#include "sys/tls_parts.h"

#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

/* The connection whose handshake runs in this job: OpenSSL hands the SSL to the job's callback. */
static Tls *current(void)
{
    ASYNC_JOB *job = ASYNC_get_current_job();
    ASYNC_callback_fn fn = NULL;
    void *ssl = NULL;

    if (job == NULL || ASYNC_WAIT_CTX_get_callback(ASYNC_get_wait_ctx(job), &fn, &ssl) != 1)
        return NULL;
    return ssl != NULL ? SSL_get_app_data((SSL *)ssl) : NULL;
}

/* Sleeps until tls_signed(). False: no signature. */
static bool ask(TlsScheme scheme, Bytes data, FarSign **ret)
{
    Tls *t = current();

    if (t == NULL || t->sign.state != SIGN_NONE || data.len > sizeof t->sign.data)
        return false;
    FarSign *s = &t->sign;
    memcpy(s->data, data.ptr, data.len);
    s->data_len = data.len;
    s->ask = (TlsSignAsk){ scheme, { s->data, s->data_len } };
    s->state = SIGN_WANTED;
    while (s->state == SIGN_WANTED)
        if (ASYNC_pause_job() != 1)
            return false;
    s->state = SIGN_NONE;
    *ret = s;
    return s->signature_len > 0;
}

static int sign_ec(int type, const unsigned char *digest, int digest_len, unsigned char *ret,
                   unsigned int *ret_len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
    FarSign *s;

    (void)type;
    (void)kinv;
    (void)r;
    if (digest_len <= 0 || !ask(TLS_ECDSA, (Bytes){ digest, (size_t)digest_len }, &s) ||
        s->signature_len > (size_t)ECDSA_size(key))
        return 0;
    memcpy(ret, s->signature, s->signature_len);
    *ret_len = (unsigned)s->signature_len;
    return 1;
}

static int sign_pkcs1(int type, const unsigned char *digest, unsigned int digest_len,
                      unsigned char *ret, unsigned int *ret_len, const RSA *key)
{
    FarSign *s;

    (void)type; /* SHA-256, -384, -512: their lengths tell them apart */
    if (!ask(TLS_RSA_PKCS1, (Bytes){ digest, digest_len }, &s) ||
        s->signature_len != (size_t)RSA_size(key))
        return 0;
    memcpy(ret, s->signature, s->signature_len);
    *ret_len = (unsigned)s->signature_len;
    return 1;
}

/* PSS comes here encoded, as RSA without padding; nothing else may. */
static int sign_pss(int len, const unsigned char *block, unsigned char *ret, RSA *key, int padding)
{
    FarSign *s;

    if (padding != RSA_NO_PADDING || len != RSA_size(key) ||
        !ask(TLS_RSA_PSS, (Bytes){ block, (size_t)len }, &s) || s->signature_len != (size_t)len)
        return -1;
    memcpy(ret, s->signature, s->signature_len);
    return len;
}

/* --- the key ------------------------------------------------------------------------------------
 */

static bool init_ec(FarKey *k, EVP_PKEY *public)
{
    const EC_KEY *known = EVP_PKEY_get0_EC_KEY(public);
    EC_KEY *key = known != NULL ? EC_KEY_dup(known) : NULL;

    k->ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    if (key != NULL && k->ec != NULL && k->key != NULL) {
        EC_KEY_METHOD_set_sign(k->ec, sign_ec, NULL, NULL);
        if (EC_KEY_set_method(key, k->ec) == 1 && EVP_PKEY_assign_EC_KEY(k->key, key) == 1)
            return true;
    }
    EC_KEY_free(key);
    return false;
}

static bool init_rsa(FarKey *k, EVP_PKEY *public)
{
    const RSA *known = EVP_PKEY_get0_RSA(public);
    RSA *key = known != NULL ? RSAPublicKey_dup(known) : NULL;

    k->rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    if (key != NULL && k->rsa != NULL && k->key != NULL &&
        RSA_meth_set_sign(k->rsa, sign_pkcs1) == 1 &&
        RSA_meth_set_priv_enc(k->rsa, sign_pss) == 1 &&
        RSA_meth_set_flags(k->rsa, RSA_METHOD_FLAG_NO_CHECK) == 1 &&
        RSA_set_method(key, k->rsa) == 1 && EVP_PKEY_assign_RSA(k->key, key) == 1)
        return true;
    RSA_free(key);
    return false;
}

bool far_key_init(FarKey *k, const X509 *certificate)
{
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    const int kind = public != NULL ? EVP_PKEY_get_base_id(public) : EVP_PKEY_NONE;

    k->key = EVP_PKEY_new();
    if (kind == EVP_PKEY_EC)
        return init_ec(k, public);
    return kind == EVP_PKEY_RSA && init_rsa(k, public);
}

void far_key_done(FarKey *k)
{
    EVP_PKEY_free(k->key);
    if (k->ec != NULL)
        EC_KEY_METHOD_free(k->ec);
    RSA_meth_free(k->rsa);
    *k = (FarKey){ 0 };
}
