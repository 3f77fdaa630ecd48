/* A client's certificate in a sign-in: what its worker saw of it, held against the rules.
 *
 * What does not hold, or is another's, ends the sign-in before a password is tried. Without one,
 * who is not exempt hears the same whether the password was right or wrong, so that nobody who
 * lacks the certificate can find out passwords. */
#ifndef KEEPER_CERTIFICATE_H
#define KEEPER_CERTIFICATE_H

#include "base/buf.h"
#include "config/config.h"
#include "model/ask.h"
#include "policy/client_certificate.h"

struct Keeper;
struct Signin;

/* At the begin. True: refused; *ret_why says why, for people (in the sign-in's arena). */
bool certificate_refuses(const struct Keeper *k, struct Signin *n, const SigninBegin *ask,
                         Bytes *ret_why);
/* At the proof: it came without, and may not. `who` NULL: nobody of that name may sign in. */
bool certificate_is_missing(const struct Keeper *k, const struct Signin *n, const Identity *who);

#endif
