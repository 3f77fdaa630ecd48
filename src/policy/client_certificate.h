/* Client certificates: who may come without, and whose one is. It is a second factor, never
 * instead of the sign-in; everybody needs one who is not exempt, so that a name spelt wrongly in
 * the configuration asks for one too many, never for one too few. */
#ifndef POLICY_CLIENT_CERTIFICATE_H
#define POLICY_CLIENT_CERTIFICATE_H

#include "policy/policy.h"

/* What a worker tells of a connection. */
typedef enum CertificateState {
    CERTIFICATE_NONE = 0, /* none was shown */
    CERTIFICATE_WRONG,    /* one that does not hold */
    CERTIFICATE_HOLDS,
} CertificateState;

/* `exempt`: "human", "agent", "service", or a member as identity_is() reads it. */
bool client_certificate_exempt(const Names *exempt, const Identity *who);
/* One of the names is the user's, byte for byte. */
bool client_certificate_is_of(const Names *names, Bytes user);

#endif
