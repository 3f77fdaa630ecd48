#include "model/message.h"

#include "base/text.h"

static const MessageEntry CATALOGUE[] = {
#define MESSAGE_ENTRY(code, state, severity, title, next)                                          \
    { CHP_##code, state, SEVERITY_##severity, title, next },
    MESSAGES(MESSAGE_ENTRY)
#undef MESSAGE_ENTRY
};

const MessageEntry *message_entry(MessageCode code)
{
    for (size_t i = 0; i < COUNT_OF(CATALOGUE); i++)
        if (CATALOGUE[i].code == code)
            return &CATALOGUE[i];
    return NULL;
}

/* The gateway said no to this statement: rules and people (31xx, 32xx), what the caller still
 * owes (34xx), what the gateway does not carry (5501). */
static bool is_refusal(MessageCode code)
{
    return (code >= CHP_3101 && code < CHP_3301) || code == CHP_3401 || code == CHP_3402 ||
           code == CHP_5501;
}

static Err put_head(const Fault *fault, Bytes id, Buf *out)
{
    const char *comma = id.len > 0 ? ", " : "";

    if (!is_refusal(fault->code))
        return text_format(out, "chaperone (CHP-%d%s%.*s): ", (int)fault->code, comma, SHOW(id));
    if (fault->rule.len > 0)
        return text_format(out, "chaperone refused (rule %.*s%s%.*s): ", SHOW(fault->rule), comma,
                           SHOW(id));
    return text_format(out, "chaperone refused (CHP-%d%s%.*s): ", (int)fault->code, comma,
                       SHOW(id));
}

Err message_primary(const Fault *fault, Bytes id, Buf *out)
{
    const MessageEntry *entry = message_entry(fault->code);
    assert(entry != NULL);
    const Bytes fact = fault->fact.len > 0 ? fault->fact : text_of(entry->title);
    const Bytes next = fault->next.len > 0 ? fault->next : text_of(entry->next);

    if (entry->severity != SEVERITY_NOTICE)
        TRY(put_head(fault, id, out));
    TRY(buf_append(out, fact));
    if (entry->severity != SEVERITY_NOTICE && next.len > 0)
        TRY(text_format(out, "; %.*s", SHOW(next)));
    return OK;
}
