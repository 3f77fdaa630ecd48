#include "policy/client_certificate.h"

#include "base/text.h"

static bool is_of(const Identity *who, Bytes item)
{
    return who->kind != IDENTITY_NOBODY &&
           (text_eq(item, text_of(identity_kind_name(who->kind))) || identity_is(who, item));
}

bool client_certificate_exempt(const Names *exempt, const Identity *who)
{
    for (size_t i = 0; i < exempt->count; i++)
        if (is_of(who, exempt->at[i]))
            return true;
    return false;
}

bool client_certificate_is_of(const Names *names, Bytes user)
{
    for (size_t i = 0; user.len > 0 && i < names->count; i++)
        if (text_eq(names->at[i], user))
            return true;
    return false;
}
