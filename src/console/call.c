#include "console/call.h"

#include "base/text.h"
#include "model/limits.h"
#include "sys/entropy.h"

#include <jansson.h>

void call_prepare(void)
{
    size_t seed;

    random_fill(&seed, sizeof seed);
    json_object_seed(seed | 1); /* zero would let it look for one itself */
}

static Bytes text_in(const json_t *value)
{
    return (Bytes){ (const uint8_t *)json_string_value(value), json_string_length(value) };
}

static Err pack_pair(Buf *list, const char *key, const json_t *value)
{
    if (!json_is_string(value))
        return ERR_MALFORMED;
    TRY(pack_item(list, text_of(key)));
    return pack_item(list, text_in(value));
}

static Err pack_argument(Buf *list, const char *key, const json_t *value)
{
    if (!json_is_array(value))
        return pack_pair(list, key, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        TRY(pack_pair(list, key, json_array_get(value, i)));
    return OK;
}

static Err pack_arguments(json_t *args, Buf *list)
{
    const char *key;
    json_t *value;

    if (args == NULL)
        return OK;
    if (!json_is_object(args))
        return ERR_MALFORMED;
    json_object_foreach(args, key, value) TRY(pack_argument(list, key, value));
    return OK;
}

static Err pack(json_t *root, uint64_t number, Buf *out)
{
    CLEANUP(buf_done) Buf list = { 0 };
    const json_t *name = json_object_get(root, "call"), *token = json_object_get(root, "token");

    if (!json_is_string(name) || (token != NULL && !json_is_string(token)))
        return ERR_MALFORMED;
    buf_init(&list, LIMIT_IPC_MESSAGE);
    TRY(pack_arguments(json_object_get(root, "args"), &list));
    const AdminCall call = { .call = number,
                             .name = text_in(name),
                             .token = token != NULL ? text_in(token) : (Bytes){ 0 },
                             .arguments = { buf_view(&list) } };
    return pack_admin_call(out, &call);
}

Err call_pack(Bytes json, uint64_t number, Buf *out)
{
    json_t *root = json_loadb((const char *)json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    const Err err = json_is_object(root) ? pack(root, number, out) : ERR_MALFORMED;

    json_decref(root);
    return err;
}
