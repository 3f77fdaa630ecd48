#include "crypto/scram.h"

#include "base/encode.h"
#include "base/text.h"
#include "crypto/hmac.h"

#include <string.h>

/* --- attributes: "x=value,y=value" ------------------------------------------- */

typedef struct Attributes {
    Bytes rest;
    bool open; /* one more must follow: at the start, and after each comma */
} Attributes;

static Err attributes_of(Bytes message, Attributes *ret)
{
    if (message.len > SCRAM_MESSAGE_MAX || !utf8_valid(message))
        return ERR_MALFORMED;
    if (text_find(message, LIT("\0")) != message.len)
        return ERR_MALFORMED;
    *ret = (Attributes){ message, true };
    return OK;
}

static Err take_any(Attributes *a, uint8_t *ret_name, Bytes *ret_value)
{
    if (!a->open)
        return ERR_MALFORMED;
    const size_t comma = text_find(a->rest, LIT(","));
    const Bytes one = bytes_upto(a->rest, comma);
    a->open = comma < a->rest.len;
    a->rest = bytes_from(a->rest, a->open ? comma + 1 : comma);

    if (one.len < 2 || one.ptr[1] != '=')
        return ERR_MALFORMED;
    const uint8_t letter = one.ptr[0] | 0x20;
    if (letter < 'a' || letter > 'z')
        return ERR_MALFORMED;
    *ret_name = one.ptr[0];
    *ret_value = bytes_from(one, 2);
    return OK;
}

/* "m=" needs no rule of its own: wherever it may stand, another name is expected. */
static Err take(Attributes *a, uint8_t name, Bytes *ret_value)
{
    uint8_t found;

    TRY(take_any(a, &found, ret_value));
    return found == name ? OK : ERR_MALFORMED;
}

/* Extensions that are not mandatory are to be ignored (RFC 5802 §5.1), but must be well-formed;
 * a second mandatory attribute in disguise is not an extension. */
static Err skip_extensions(Attributes *a)
{
    uint8_t name;
    Bytes value;

    while (a->open) {
        TRY(take_any(a, &name, &value));
        if (value.len == 0 || text_find(LIT("mnrcspive"), (Bytes){ &name, 1 }) != 9)
            return ERR_MALFORMED;
    }
    return OK;
}

/* RFC 5802 §7 "printable": visible ASCII; the comma cannot occur in an attribute. */
static Err check_nonce(Bytes nonce, size_t max)
{
    if (nonce.len < SCRAM_NONCE_MIN || nonce.len > max)
        return ERR_MALFORMED;
    for (size_t i = 0; i < nonce.len; i++) {
        if (nonce.ptr[i] < 0x21 || nonce.ptr[i] > 0x7e || nonce.ptr[i] == ',')
            return ERR_MALFORMED;
    }
    return OK;
}

/* saslname: "=" only as "=2C" and "=3D". */
static Err check_user(Bytes user)
{
    for (size_t at = text_find(user, LIT("=")); at < user.len; at = text_find(user, LIT("="))) {
        user = bytes_from(user, at);
        if (!text_starts(user, LIT("=2C")) && !text_starts(user, LIT("=3D")))
            return ERR_MALFORMED;
        user = bytes_from(user, 3);
    }
    return OK;
}

static Err decode_hash(Bytes base64, Hash *ret)
{
    CLEANUP(buf_done) Buf raw = { 0 };

    if (base64.len != 44)
        return ERR_MALFORMED;
    buf_init(&raw, HASH_BYTES + 1);
    TRY(base64_decode(base64, &raw));
    if (buf_len(&raw) != HASH_BYTES)
        return ERR_MALFORMED;
    memcpy(ret->bytes, buf_view(&raw).ptr, HASH_BYTES);
    return OK;
}

/* --- keys, RFC 5802 §3 --------------------------------------------------------- */

Err scram_salt_password(Bytes password, Bytes salt, uint32_t rounds, Hash *ret)
{
    if (password.len > SCRAM_PASSWORD_MAX || salt.len < SCRAM_SALT_MIN ||
        salt.len > SCRAM_SALT_MAX || rounds < SCRAM_ROUNDS_MIN || rounds > SCRAM_ROUNDS_MAX)
        return ERR_LIMIT;
    *ret = pbkdf2(password, salt, rounds);
    return OK;
}

ScramVerifier scram_verifier_of(const Hash *salted_password)
{
    Hash client_key = hmac_once(VIEW(*salted_password), LIT("Client Key"));
    const ScramVerifier v = {
        .stored_key = hash_of(VIEW(client_key)),
        .server_key = hmac_once(VIEW(*salted_password), LIT("Server Key")),
    };

    explicit_bzero(&client_key, sizeof client_key);
    return v;
}

Err scram_verifier_make(Bytes password, Bytes salt, uint32_t rounds, ScramVerifier *ret)
{
    Hash salted;

    TRY(scram_salt_password(password, salt, rounds, &salted));
    *ret = scram_verifier_of(&salted);
    explicit_bzero(&salted, sizeof salted);
    return OK;
}

static Hash sign_exchange(const Hash *key, const ScramExchange *e)
{
    HmacKey k;
    Hmac m;

    hmac_key_init(&k, VIEW(*key));
    hmac_begin(&m, &k);
    hmac_key_done(&k);
    hmac_add(&m, e->client_first_bare);
    hmac_add(&m, LIT(","));
    hmac_add(&m, e->server_first);
    hmac_add(&m, LIT(","));
    hmac_add(&m, e->client_final_without_proof);
    return hmac_end(&m);
}

static Hash mixed(const Hash *a, const Hash *b)
{
    Hash out;

    for (size_t i = 0; i < HASH_BYTES; i++)
        out.bytes[i] = a->bytes[i] ^ b->bytes[i];
    return out;
}

/* --- server -------------------------------------------------------------------- */

Err scram_client_first_bare_parse(Bytes bare, Bytes *ret_nonce)
{
    Attributes a;
    Bytes user, nonce;

    TRY(attributes_of(bare, &a));
    TRY(take(&a, 'n', &user));
    TRY(check_user(user));
    TRY(take(&a, 'r', &nonce));
    TRY(check_nonce(nonce, SCRAM_NONCE_MAX));
    TRY(skip_extensions(&a));
    *ret_nonce = nonce;
    return OK;
}

Err scram_client_first_parse(Bytes message, ScramClientFirst *ret)
{
    static const struct {
        Bytes header;
        ScramBinding binding;
    } HEADERS[] = {
        { LIT_INIT("n,,"), SCRAM_NOT_SUPPORTED },
        { LIT_INIT("y,,"), SCRAM_NOT_OFFERED },
        { LIT_INIT("p=tls-server-end-point,,"), SCRAM_BOUND },
    };

    for (size_t i = 0; i < COUNT_OF(HEADERS); i++) {
        if (!text_starts(message, HEADERS[i].header))
            continue;
        ScramClientFirst first = {
            .binding = HEADERS[i].binding,
            .gs2_header = bytes_upto(message, HEADERS[i].header.len),
            .bare = bytes_from(message, HEADERS[i].header.len),
        };
        TRY(scram_client_first_bare_parse(first.bare, &first.nonce));
        *ret = first;
        return OK;
    }
    return ERR_MALFORMED;
}

Err scram_server_first_write(const ScramServerFirst *s, Buf *out)
{
    const size_t before = buf_len(out);

    Err err = text_format(out, "r=%.*s,s=", SHOW(s->nonce));
    if (err == OK)
        err = base64_encode((Bytes){ s->salt, s->salt_bytes }, out);
    if (err == OK)
        err = text_format(out, ",i=%u", (unsigned)s->rounds);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

Err scram_client_final_parse(Bytes message, ScramClientFinal *ret)
{
    ScramClientFinal f = { 0 };
    Attributes a;
    uint8_t name;
    Bytes value;

    TRY(attributes_of(message, &a));
    TRY(take(&a, 'c', &f.binding));
    TRY(take(&a, 'r', &f.nonce));
    TRY(check_nonce(f.nonce, 2 * SCRAM_NONCE_MAX));
    for (;;) { /* extensions, then the proof, which is last */
        const size_t at = message.len - a.rest.len;
        TRY(take_any(&a, &name, &value));
        if (name == 'p') {
            f.without_proof = bytes_upto(message, at - 1);
            break;
        }
        if (value.len == 0 || text_find(LIT("mnrcsive"), (Bytes){ &name, 1 }) != 8)
            return ERR_MALFORMED;
    }
    if (a.open)
        return ERR_MALFORMED;
    TRY(decode_hash(value, &f.proof));
    *ret = f;
    return OK;
}

/* Appends base64(gs2-header || data). */
static Err write_binding(Bytes gs2_header, Bytes data, Buf *out)
{
    CLEANUP(buf_done) Buf raw = { 0 };

    buf_init(&raw, SCRAM_BINDING_MAX);
    TRY(buf_append(&raw, gs2_header));
    TRY(buf_append(&raw, data));
    return base64_encode(buf_view(&raw), out);
}

Err scram_binding_check(const ScramClientFinal *f, Bytes gs2_header, Bytes data)
{
    CLEANUP(buf_done) Buf expected = { 0 };

    buf_init(&expected, SCRAM_BINDING_MAX * 2);
    TRY(write_binding(gs2_header, data, &expected));
    return secret_eq(buf_view(&expected), f->binding) ? OK : ERR_REFUSED;
}

bool scram_binding_holds(Bytes without_proof, Bytes gs2_header, Bytes data)
{
    CLEANUP(buf_done) Buf expected = { 0 };

    buf_init(&expected, SCRAM_BINDING_MAX * 2);
    return buf_append(&expected, LIT("c=")) == OK &&
           write_binding(gs2_header, data, &expected) == OK && buf_byte(&expected, ',') == OK &&
           without_proof.len > buf_len(&expected) &&
           secret_eq(buf_view(&expected), bytes_upto(without_proof, buf_len(&expected)));
}

bool scram_proof_holds(const ScramVerifier *v, const ScramExchange *e, const Hash *proof)
{
    const Hash signature = sign_exchange(&v->stored_key, e);
    Hash client_key = mixed(&signature, proof);
    const Hash stored = hash_of(VIEW(client_key));

    explicit_bzero(&client_key, sizeof client_key);
    return hash_eq(&stored, &v->stored_key);
}

Err scram_server_final_write(const ScramVerifier *v, const ScramExchange *e, Buf *out)
{
    const size_t before = buf_len(out);
    const Hash signature = sign_exchange(&v->server_key, e);

    Err err = buf_append(out, LIT("v="));
    if (err == OK)
        err = base64_encode(VIEW(signature), out);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

/* --- client -------------------------------------------------------------------- */

Err scram_client_first_write(Bytes gs2_header, Bytes nonce, Buf *out)
{
    TRY(check_nonce(nonce, SCRAM_NONCE_MAX));
    return text_format(out, "%.*sn=,r=%.*s", SHOW(gs2_header), SHOW(nonce));
}

static Err decode_salt(Bytes base64, ScramServerFirst *s)
{
    CLEANUP(buf_done) Buf raw = { 0 };

    if (base64.len > (SCRAM_SALT_MAX + 2) / 3 * 4)
        return ERR_MALFORMED;
    buf_init(&raw, SCRAM_SALT_MAX + 3);
    TRY(base64_decode(base64, &raw));
    const Bytes salt = buf_view(&raw);
    if (salt.len < SCRAM_SALT_MIN || salt.len > SCRAM_SALT_MAX)
        return ERR_MALFORMED;
    memcpy(s->salt, salt.ptr, salt.len);
    s->salt_bytes = salt.len;
    return OK;
}

Err scram_server_first_parse(Bytes message, Bytes our_nonce, ScramServerFirst *ret)
{
    ScramServerFirst s = { 0 };
    Attributes a;
    Bytes salt, rounds;
    uint64_t count;

    TRY(attributes_of(message, &a));
    TRY(take(&a, 'r', &s.nonce));
    TRY(check_nonce(s.nonce, 2 * SCRAM_NONCE_MAX));
    TRY(take(&a, 's', &salt));
    TRY(decode_salt(salt, &s));
    TRY(take(&a, 'i', &rounds));
    TRY(skip_extensions(&a));
    if (rounds.len == 0 || rounds.ptr[0] == '0')
        return ERR_MALFORMED; /* posit-number has no leading zero */
    TRY(text_u64(rounds, SCRAM_ROUNDS_MAX, &count));
    if (count < SCRAM_ROUNDS_MIN)
        return ERR_LIMIT;
    if (!text_starts(s.nonce, our_nonce) || s.nonce.len - our_nonce.len < SCRAM_NONCE_MIN)
        return ERR_REFUSED; /* an answer to someone else, or nothing of the server's own in it */
    s.rounds = (uint32_t)count;
    *ret = s;
    return OK;
}

Err scram_client_final_begin(Bytes gs2_header, Bytes data, Bytes nonce, Buf *out)
{
    const size_t before = buf_len(out);

    Err err = buf_append(out, LIT("c="));
    if (err == OK)
        err = write_binding(gs2_header, data, out);
    if (err == OK)
        err = text_format(out, ",r=%.*s", SHOW(nonce));
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

Err scram_client_final_end(const Hash *salted_password, const ScramExchange *e, Buf *out)
{
    const size_t before = buf_len(out);
    Hash client_key = hmac_once(VIEW(*salted_password), LIT("Client Key"));
    const Hash stored_key = hash_of(VIEW(client_key));
    const Hash signature = sign_exchange(&stored_key, e);
    const Hash proof = mixed(&client_key, &signature);

    explicit_bzero(&client_key, sizeof client_key);
    Err err = buf_append(out, LIT(",p="));
    if (err == OK)
        err = base64_encode(VIEW(proof), out);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

Err scram_server_final_check(Bytes message, const Hash *salted_password, const ScramExchange *e)
{
    Attributes a;
    uint8_t name;
    Bytes value;
    Hash said;

    TRY(attributes_of(message, &a));
    TRY(take_any(&a, &name, &value));
    if (name == 'e')
        return ERR_REFUSED;
    if (name != 'v')
        return ERR_MALFORMED;
    TRY(skip_extensions(&a));
    TRY(decode_hash(value, &said));

    Hash server_key = hmac_once(VIEW(*salted_password), LIT("Server Key"));
    const Hash expected = sign_exchange(&server_key, e);
    explicit_bzero(&server_key, sizeof server_key);
    return hash_eq(&said, &expected) ? OK : ERR_REFUSED;
}
