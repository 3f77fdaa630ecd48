/* SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677), both roles, as functions of their arguments:
 * who keeps state between the messages is the caller's business.
 *
 *     client                                              server
 *     client-first  = gs2-header client-first-bare   ->
 *                                                    <-   server-first  r=,s=,i=
 *     client-final  = c=,r=,p=                       ->
 *                                                    <-   server-final  v=
 *
 * Parsing is strict: attributes in the specified order, no "m=", no authzid, every length bounded.
 * ERR_MALFORMED: the peer broke the protocol; ERR_REFUSED: it kept to it and is wrong (proof,
 * signature, channel binding); ERR_LIMIT: memory, or a bound on iterations, salt or password.
 * Views in parsed messages borrow from the message.
 *
 * Passwords: SASLprep (RFC 4013) leaves printable ASCII as it is, and so do we. Anything else is
 * used byte for byte, unnormalised, which is what libpq falls back to; a password that needs
 * normalisation must be typed the way it was stored. */
#ifndef CRYPTO_SCRAM_H
#define CRYPTO_SCRAM_H

#include "base/buf.h"
#include "crypto/hash.h"

enum {
    SCRAM_ROUNDS_MIN = 4096, /* RFC 7677 §4 */
    SCRAM_ROUNDS_MAX = 600000,
    SCRAM_SALT_MIN = 8,
    SCRAM_SALT_MAX = 64,
    SCRAM_NONCE_MIN = 8, /* characters that each side must bring */
    SCRAM_NONCE_MAX = 256,
    SCRAM_PASSWORD_MAX = 1024,
    SCRAM_MESSAGE_MAX = 2048,
    SCRAM_BINDING_MAX = 512, /* gs2-header and channel-binding data */
};

/* What a server keeps of a password. It cannot sign in with it, but it can recognise it. */
typedef struct ScramVerifier {
    Hash stored_key, server_key;
} ScramVerifier;

typedef enum ScramBinding {
    SCRAM_NOT_SUPPORTED, /* "n": the client knows no channel binding */
    SCRAM_NOT_OFFERED,   /* "y": the client does, and saw none offered; a downgrade if we did */
    SCRAM_BOUND,         /* "p=tls-server-end-point" */
} ScramBinding;

typedef struct ScramClientFirst {
    ScramBinding binding;
    Bytes gs2_header, bare, nonce;
} ScramClientFirst;

typedef struct ScramClientFinal {
    Bytes without_proof; /* the message up to ",p=" */
    Bytes binding;       /* base64, as sent */
    Bytes nonce;
    Hash proof;
} ScramClientFinal;

typedef struct ScramServerFirst {
    Bytes nonce; /* whole: the client's, then the server's */
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_bytes;
    uint32_t rounds;
} ScramServerFirst;

/* The three texts that both sides prove they saw, RFC 5802 §3 "AuthMessage". */
typedef struct ScramExchange {
    Bytes client_first_bare, server_first, client_final_without_proof;
} ScramExchange;

/* PBKDF2: from 0.6 ms (4,096 rounds) to 0.1 s (600,000); keep it off an event loop. */
Err scram_salt_password(Bytes password, Bytes salt, uint32_t rounds, Hash *ret) MUST_CHECK;
ScramVerifier scram_verifier_of(const Hash *salted_password);
Err scram_verifier_make(Bytes password, Bytes salt, uint32_t rounds, ScramVerifier *ret) MUST_CHECK;

/* Server. The user name is checked for form and ignored: PostgreSQL sends it elsewhere. */
Err scram_client_first_parse(Bytes message, ScramClientFirst *ret) MUST_CHECK;
Err scram_client_first_bare_parse(Bytes bare, Bytes *ret_nonce) MUST_CHECK;
/* Appends; `s->nonce` is the whole nonce. */
Err scram_server_first_write(const ScramServerFirst *s, Buf *out) MUST_CHECK;
Err scram_client_final_parse(Bytes message, ScramClientFinal *ret) MUST_CHECK;
/* `data` is the certificate's hash for SCRAM_BOUND, else empty. ERR_REFUSED when c= differs. */
Err scram_binding_check(const ScramClientFinal *f, Bytes gs2_header, Bytes data) MUST_CHECK;
/* The same of the message up to ",p=". */
bool scram_binding_holds(Bytes without_proof, Bytes gs2_header, Bytes data);
/* Constant time in the proof; several verifiers of one salt may be tried in turn. */
bool scram_proof_holds(const ScramVerifier *v, const ScramExchange *e, const Hash *proof);
Err scram_server_final_write(const ScramVerifier *v, const ScramExchange *e, Buf *out) MUST_CHECK;

/* Client. `gs2_header` is "n,,", "y,," or "p=tls-server-end-point,,". The user name is empty. */
Err scram_client_first_write(Bytes gs2_header, Bytes nonce, Buf *out) MUST_CHECK;
/* ERR_REFUSED: the nonce does not extend ours. ERR_LIMIT: rounds outside the bounds. */
Err scram_server_first_parse(Bytes message, Bytes our_nonce, ScramServerFirst *ret) MUST_CHECK;
/* Appends "c=...,r=...": what the proof is about. */
Err scram_client_final_begin(Bytes gs2_header, Bytes data, Bytes nonce, Buf *out) MUST_CHECK;
/* Appends ",p=..." behind it; `e->client_final_without_proof` is what _begin wrote, copied. */
Err scram_client_final_end(const Hash *salted_password, const ScramExchange *e,
                           Buf *out) MUST_CHECK;
/* ERR_REFUSED: the server says "e=", or it does not know the password. */
Err scram_server_final_check(Bytes message, const Hash *salted_password,
                             const ScramExchange *e) MUST_CHECK;

#endif
