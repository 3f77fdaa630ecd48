#include "record/payload.h"

#include "base/encode.h"
#include "base/json_write.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/meaning.h"

#include <zstd.h>

enum { ZSTD_LEVEL = 1, VALUE_SHOWN = 64 << 10 };

Err payload_session_start(const SessionStartNote *n, Buf *out)
{
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_string(&j, "user", n->who->name);
    json_write_string(&j, "kind", text_of(identity_kind_name(n->who->kind)));
    json_write_string(&j, "owner", n->who->owner);
    json_write_bool(&j, "by_token", n->who->by_token);
    json_write_array(&j, "groups");
    for (size_t i = 0; i < n->who->group_count; i++)
        json_write_string(&j, NULL, n->who->groups[i]);
    json_write_array_end(&j);
    json_write_string(&j, "resource", n->resource);
    json_write_string(&j, "role", n->role);
    json_write_string(&j, "peer", n->peer);
    json_write_string(&j, "application", n->application);
    json_write_string(&j, "purpose", n->purpose);
    json_write_string(&j, "policy_hash", n->policy_hash_hex);
    json_write_string(&j, "target_version", n->target_version);
    json_write_string(&j, "tls_version", n->tls_version);
    json_write_string(&j, "tls_cipher", n->tls_cipher);
    json_write_bool(&j, "tls_bound", n->tls_bound);
    json_write_string(&j, "certificate_subject", n->certificate_subject);
    json_write_string(&j, "certificate_sha256", n->certificate_sha256_hex);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static const char *kind_name(CommandKind kind)
{
    switch (kind) {
    case COMMAND_STATEMENT:
        return "statement";
    case COMMAND_PREPARE:
        return "prepare";
    case COMMAND_RUN:
        return "run";
    case COMMAND_RESUME:
        return "resume";
    }
    return "?";
}

static void put_value(Json *j, const Value *v)
{
    const Bytes shown = v->bytes.len > VALUE_SHOWN ? bytes_upto(v->bytes, VALUE_SHOWN) : v->bytes;
    Buf hex;

    if (v->is_null) {
        json_write_null(j, NULL);
        return;
    }
    json_write_object(j, NULL);
    if (!v->binary && utf8_valid(shown)) {
        json_write_string(j, "text", shown);
    } else {
        buf_init(&hex, 2 * VALUE_SHOWN);
        if (j->err == OK)
            j->err = hex_encode(shown, &hex);
        json_write_string(j, "hex", buf_view(&hex));
        buf_done(&hex);
    }
    if (v->type_oid != 0)
        json_write_u64(j, "type", v->type_oid);
    if (shown.len < v->bytes.len)
        json_write_u64(j, "bytes", v->bytes.len);
    json_write_object_end(j);
}

static void put_values(Json *j, const char *key, const Command *c)
{
    json_write_array(j, key);
    for (size_t i = 0; i < c->value_count; i++)
        put_value(j, &c->values[i]);
    json_write_array_end(j);
}

Err payload_values(const Command *command, Buf *out)
{
    Json j = json_write_begin(out);

    put_values(&j, NULL, command);
    return json_write_end(&j);
}

static void put_effects(Json *j, unsigned effects)
{
    json_write_array(j, "effects");
    for (unsigned bit = 1; bit != 0 && bit <= effects; bit <<= 1)
        if ((effects & bit) != 0 && effect_name(bit) != NULL)
            json_write_string(j, NULL, text_of(effect_name(bit)));
    json_write_array_end(j);
}

Err payload_command(const CommandNote *n, Buf *out)
{
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_string(&j, "decision", n->decision);
    json_write_string(&j, "kind", text_of(kind_name(n->command->kind)));
    if (n->command->name.len > 0)
        json_write_string(&j, "name", n->command->name);
    json_write_string(&j, "text", n->command->text);
    if (n->inner.len > 0)
        json_write_string(&j, "inner", n->inner);
    if (n->command->value_count > 0)
        put_values(&j, "values", n->command);
    json_write_string(&j, "verdict", text_of(ruling_name(n->verdict->ruling)));
    json_write_string(&j, "rule", n->verdict->rule);
    if (n->verdict->ruling != RULING_ALLOW) {
        json_write_u64(&j, "code", (uint64_t)n->verdict->fault.code);
        json_write_string(&j, "fact", n->verdict->fault.fact);
    }
    if (n->request.len > 0)
        json_write_string(&j, "request", n->request);
    put_effects(&j, n->effects);
    json_write_object_end(&j);
    return json_write_end(&j);
}

Err payload_receipt(const Receipt *r, Buf *out)
{
    TRY(buf_byte(out, buf_len(out) == 0 ? '[' : ','));
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_string(&j, "tag", r->tag);
    json_write_bool(&j, "failed", r->failed);
    json_write_u64(&j, "rows", r->rows);
    json_write_u64(&j, "masked", r->cells_masked);
    json_write_object_end(&j);
    return json_write_end(&j);
}

Err payload_receipts_end(Buf *out)
{
    return buf_byte(out, ']');
}

Err payload_session_end(const SessionEndNote *n, Buf *out)
{
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_string(&j, "reason", n->reason);
    json_write_u64(&j, "statements", n->statements);
    json_write_string(&j, "server", n->server);
    json_write_string(&j, "target_tls_version", n->target_tls_version);
    json_write_string(&j, "target_tls_cipher", n->target_tls_cipher);
    json_write_object_end(&j);
    return json_write_end(&j);
}

Err payload_chunk(Bytes seen, Buf *out)
{
    const size_t start = buf_len(out);

    assert(seen.len <= LIMIT_RECORD);
    if (seen.len >= CHUNK_COMPRESS_FROM) {
        uint8_t *room;
        size_t size;

        TRY(buf_byte(out, CHUNK_ZSTD));
        TRY(buf_room(out, ZSTD_compressBound(seen.len), &room, &size));
        const size_t len = ZSTD_compress(room, size, seen.ptr, seen.len, ZSTD_LEVEL);
        if (!ZSTD_isError(len) && len < seen.len) {
            buf_filled(out, len);
            return OK;
        }
        buf_truncate(out, start);
    }
    TRY(buf_byte(out, CHUNK_RAW));
    return buf_append(out, seen);
}

Err payload_chunk_open(Bytes payload, Buf *out)
{
    uint8_t *room;
    size_t size;

    if (payload.len == 0 || payload.ptr[0] > CHUNK_ZSTD)
        return ERR_MALFORMED;
    const Bytes body = bytes_from(payload, 1);
    if (payload.ptr[0] == CHUNK_RAW)
        return buf_append(out, body);
    TRY(buf_room(out, LIMIT_RECORD, &room, &size));
    const size_t len = ZSTD_decompress(room, LIMIT_RECORD, body.ptr, body.len);
    if (ZSTD_isError(len))
        return ERR_MALFORMED;
    buf_filled(out, len);
    return OK;
}
