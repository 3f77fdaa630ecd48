#include "model/identity.h"

#include "base/text.h"

const char *identity_kind_name(IdentityKind kind)
{
    switch (kind) {
    case IDENTITY_HUMAN:
        return "human";
    case IDENTITY_AGENT:
        return "agent";
    case IDENTITY_SERVICE:
        return "service";
    case IDENTITY_NOBODY:
        break;
    }
    return "nobody";
}

bool identity_in_group(const Identity *who, Bytes group)
{
    for (size_t i = 0; i < who->group_count; i++)
        if (text_eq(who->groups[i], group))
            return true;
    return false;
}

bool identity_is(const Identity *who, Bytes member)
{
    static const struct {
        Bytes prefix;
        IdentityKind kind;
    } KINDS[] = {
        { LIT_INIT("user:"), IDENTITY_HUMAN },
        { LIT_INIT("agent:"), IDENTITY_AGENT },
        { LIT_INIT("service:"), IDENTITY_SERVICE },
    };

    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (text_starts(member, KINDS[i].prefix))
            return who->kind == KINDS[i].kind &&
                   text_eq(who->name, bytes_from(member, KINDS[i].prefix.len));
    if (text_starts(member, LIT("group:")))
        return identity_in_group(who, bytes_from(member, LIT("group:").len));
    return false;
}
