/* PostgreSQL's MD5 password exchange (protocol-flow.html, AuthenticationMD5Password).
 *
 * Weak: whoever hears one exchange can guess the password offline at billions of tries a second,
 * the server shows nothing in return, and what the server stores is as good as the password. */
#ifndef CRYPTO_MD5_PASSWORD_H
#define CRYPTO_MD5_PASSWORD_H

#include "base/base.h"

enum { MD5_SALT_BYTES = 4, MD5_ANSWER_BYTES = 35 };

/* "md5" and md5(md5(password ‖ user) ‖ salt) in hex; no NUL. `salt`: MD5_SALT_BYTES.
 * ERR_MALFORMED: another salt. ERR_REFUSED: this libcrypto has no MD5. */
Err md5_password_answer(Bytes user, Bytes password, Bytes salt,
                        uint8_t ret[MD5_ANSWER_BYTES]) MUST_CHECK;

#endif
