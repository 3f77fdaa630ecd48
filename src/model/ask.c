#include "model/ask.h"

/* A switch, so that the compiler refuses two kinds with one number. */
bool ask_allowed(uint16_t kind, Party from, Party to, bool is_question)
{
    switch (kind) {
#define ASK_CASE(name, number, senders, takers, question)                                          \
    case number:                                                                                   \
        return ((PARTY_##senders) & (unsigned)from) != 0 &&                                        \
               ((PARTY_##takers) & (unsigned)to) != 0 && is_question == (question);
        ASKS(ASK_CASE)
#undef ASK_CASE
    default:
        return false;
    }
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
