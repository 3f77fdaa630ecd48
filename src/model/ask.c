#include "model/ask.h"

static const struct {
    uint16_t kind;
    unsigned from, to;
    bool question;
} TABLE[] = {
#define ASK_ROW(name, number, from, to, question) { number, PARTY_##from, PARTY_##to, question },
    ASKS(ASK_ROW)
#undef ASK_ROW
};

bool ask_allowed(uint16_t kind, Party from, Party to, bool is_question)
{
    for (size_t i = 0; i < COUNT_OF(TABLE); i++)
        if (TABLE[i].kind == kind)
            return (TABLE[i].from & from) != 0 && (TABLE[i].to & to) != 0 &&
                   TABLE[i].question == is_question;
    return false;
}

#define PACK_FIELD(type, name)   TRY(pack_##type(out, &m->name));
#define UNPACK_FIELD(type, name) TRY(unpack_##type(&r, &ret->name));
#define ASK_CODE(Type, prefix, FIELDS)                                                             \
    Err pack_##prefix(Buf *out, const Type *m)                                                     \
    {                                                                                              \
        FIELDS(PACK_FIELD)                                                                         \
        return OK;                                                                                 \
    }                                                                                              \
    Err unpack_##prefix(Bytes body, Type *ret)                                                     \
    {                                                                                              \
        Reader r = reader_of(body);                                                                \
                                                                                                   \
        *ret = (Type){ 0 };                                                                        \
        FIELDS(UNPACK_FIELD)                                                                       \
        return reader_at_end(&r) ? OK : ERR_MALFORMED;                                             \
    }
ASK_MESSAGES(ASK_CODE)
