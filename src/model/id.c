#include "model/id.h"

#include "base/encode.h"
#include "base/siphash.h"
#include "base/text.h"

IdText id_text(char kind, const Id *id)
{
    IdText t = { .text = { kind, '-' } };

    base32_text(VIEW(id->bytes), ID_CHARS, t.text + 2);
    return t;
}

IdText id_decision(const Id *session, uint64_t count)
{
    const uint64_t mixed = siphash(siphash_key(session->bytes), VIEW(count));
    Id id = { 0 };

    for (size_t i = 0; i < 8; i++)
        id.bytes[i] = (uint8_t)(mixed >> (56 - 8 * i));
    return id_text('d', &id);
}

bool id_eq(const Id *a, const Id *b)
{
    return text_eq(VIEW(a->bytes), VIEW(b->bytes));
}

bool id_is_zero(const Id *id)
{
    return id_eq(id, &(Id){ 0 });
}
