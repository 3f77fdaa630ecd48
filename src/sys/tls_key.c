#include "sys/tls_key.h"

#include "sys/tls_parts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8 * TLS_SIGN_MAX, PSS_TRAILER = 0xbc };

struct TlsKey {
    EVP_PKEY *key;
    bool rsa;
    size_t size; /* of a signature, at most */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* Of a kind that we sign with? */
static bool is_usable(EVP_PKEY *key)
{
    char group[32];
    const int bits = EVP_PKEY_get_bits(key);

    if (EVP_PKEY_is_a(key, "RSA"))
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && bits % 8 == 0;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
}

static const char *check_pair(EVP_PKEY *key, const X509 *leaf)
{
    if (key == NULL)
        return "the key is not an unencrypted private key in PEM";
    if (!is_usable(key))
        return "the key must be P-256, P-384, or RSA of 2048 to 8192 bits";
    if (leaf == NULL)
        return "no certificate in PEM is in it";
    return EVP_PKEY_eq(X509_get0_pubkey(leaf), key) == 1
               ? NULL
               : "certificate and key do not belong together";
}

static Err keep(EVP_PKEY *key, TlsKey **ret)
{
    TlsKey *k = calloc(1, sizeof *k);

    if (k == NULL)
        return ERR_LIMIT;
    *k = (TlsKey){ key, EVP_PKEY_is_a(key, "RSA") == 1, (size_t)EVP_PKEY_get_size(key) };
    *ret = k;
    return OK;
}

Err tls_key_new(Bytes key_pem, Bytes chain_pem, TlsKey **ret, const char **ret_why)
{
    BIO *key_bio = tls_bio_of(key_pem), *chain_bio = tls_bio_of(chain_pem);
    EVP_PKEY *key = NULL;
    X509 *leaf = NULL;
    Err err = ERR_LIMIT;

    *ret_why = "no memory";
    if (key_bio != NULL && chain_bio != NULL) {
        key = PEM_read_bio_PrivateKey(key_bio, NULL, tls_no_password, NULL);
        leaf = tls_next_certificate(chain_bio);
        *ret_why = check_pair(key, leaf);
        err = *ret_why == NULL ? keep(key, ret) : ERR_MALFORMED;
    }
    if (err != OK)
        EVP_PKEY_free(key);
    X509_free(leaf);
    BIO_free(key_bio);
    BIO_free(chain_bio);
    ERR_clear_error();
    return err;
}

void tls_key_free(TlsKey *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

/* --- signing ---------------------------------------------------------------------------------- */

static const EVP_MD *digest_of_size(size_t len)
{
    return len == 32 ? EVP_sha256() : len == 48 ? EVP_sha384() : len == 64 ? EVP_sha512() : NULL;
}

/* RFC 8017 §9.1.2, steps 4 to 10, with a salt as long as the hash (RFC 8446 §4.2.3): is this the
 * encoding of some message's hash, and nothing else? `block` is as long as the modulus. */
static bool is_pss(Bytes block, const EVP_MD *md)
{
    uint8_t db[TLS_SIGN_MAX], mask[TLS_SIGN_MAX];
    const size_t hash = (size_t)EVP_MD_get_size(md);

    if (block.len < 2 * hash + 2 || block.ptr[block.len - 1] != PSS_TRAILER ||
        (block.ptr[0] & 0x80) != 0)
        return false;
    const size_t db_len = block.len - hash - 1;
    if (PKCS1_MGF1(mask, (long)db_len, block.ptr + db_len, (long)hash, md) != 0)
        return false;
    for (size_t i = 0; i < db_len; i++)
        db[i] = block.ptr[i] ^ mask[i];
    db[0] &= 0x7f;
    const size_t one = db_len - hash - 1;
    for (size_t i = 0; i < one; i++)
        if (db[i] != 0)
            return false;
    return db[one] == 1;
}

static bool is_any_pss(Bytes block, size_t size)
{
    return block.len == size && (is_pss(block, EVP_sha256()) || is_pss(block, EVP_sha384()) ||
                                 is_pss(block, EVP_sha512()));
}

static bool prepare(const TlsKey *k, TlsScheme scheme, Bytes data, EVP_PKEY_CTX *ctx)
{
    const EVP_MD *md = digest_of_size(data.len);

    switch (scheme) {
    case TLS_ECDSA:
        return !k->rsa && md != NULL && EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
    case TLS_RSA_PKCS1:
        return k->rsa && md != NULL && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
    case TLS_RSA_PSS:
        return k->rsa && is_any_pss(data, k->size) &&
               EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1;
    }
    return false;
}

Err tls_key_sign(const TlsKey *k, TlsScheme scheme, Bytes data, Buf *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
    uint8_t *room;
    size_t size, len = k->size;
    Err err = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 ? OK : ERR_LIMIT;

    if (err == OK && !prepare(k, scheme, data, ctx))
        err = ERR_REFUSED;
    if (err == OK)
        err = buf_room(out, k->size, &room, &size);
    if (err == OK && EVP_PKEY_sign(ctx, room, &len, data.ptr, data.len) != 1)
        err = ERR_LIMIT;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (err == OK)
        buf_filled(out, len);
    return err;
}
