#include "crypto/md5_password.h"

#include <openssl/md5.h>
#include <string.h>

enum { HEX_BYTES = 2 * MD5_DIGEST_LENGTH };
_Static_assert(MD5_ANSWER_BYTES == 3 + HEX_BYTES, "md5 and its hex");

/* Hex of md5(a ‖ b). */
static Err hex_of(Bytes a, Bytes b, uint8_t ret[HEX_BYTES])
{
    static const char DIGITS[] = "0123456789abcdef";
    uint8_t digest[MD5_DIGEST_LENGTH];
    MD5_CTX ctx;

    if (MD5_Init(&ctx) != 1 || MD5_Update(&ctx, a.ptr, a.len) != 1 ||
        MD5_Update(&ctx, b.ptr, b.len) != 1 || MD5_Final(digest, &ctx) != 1)
        return ERR_REFUSED;
    for (size_t i = 0; i < sizeof digest; i++) {
        ret[2 * i] = (uint8_t)DIGITS[digest[i] >> 4];
        ret[2 * i + 1] = (uint8_t)DIGITS[digest[i] & 15];
    }
    explicit_bzero(&ctx, sizeof ctx);
    explicit_bzero(digest, sizeof digest);
    return OK;
}

Err md5_password_answer(Bytes user, Bytes password, Bytes salt, uint8_t ret[MD5_ANSWER_BYTES])
{
    uint8_t inner[HEX_BYTES];

    if (salt.len != MD5_SALT_BYTES)
        return ERR_MALFORMED;
    TRY(hex_of(password, user, inner));
    memcpy(ret, "md5", 3);
    const Err err = hex_of(VIEW(inner), salt, ret + 3);
    explicit_bzero(inner, sizeof inner);
    return err;
}
