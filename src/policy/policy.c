#include "policy/policy.h"

#include "base/text.h"

const Resource *policy_resource(const Policy *p, Bytes name)
{
    for (size_t i = 0; i < p->resources.count; i++)
        if (text_eq(p->resources.at[i].name, name))
            return &p->resources.at[i];
    return NULL;
}

const Role *policy_role_named(const Policy *p, Bytes name)
{
    for (size_t i = 0; i < p->roles.count; i++)
        if (text_eq(p->roles.at[i].name, name))
            return &p->roles.at[i];
    return NULL;
}

const MaskingProfile *policy_profile(const Policy *p, Bytes name)
{
    for (size_t i = 0; i < p->profiles.count; i++)
        if (text_eq(p->profiles.at[i].name, name))
            return &p->profiles.at[i];
    return NULL;
}

bool names_cover(const Names *names, Bytes name)
{
    for (size_t i = 0; i < names->count; i++)
        if (text_eq(names->at[i], name) || text_eq(names->at[i], LIT("*")))
            return true;
    return false;
}

bool labels_have(const Labels *labels, Bytes key, Bytes value)
{
    for (size_t i = 0; i < labels->count; i++)
        if (text_eq(labels->at[i].key, key))
            return text_eq(labels->at[i].value, value);
    return false;
}

bool resource_is_phi(const Resource *r)
{
    return labels_have(&r->labels, LIT("phi"), LIT("yes"));
}

static bool is_member(const Role *role, const Identity *who)
{
    for (size_t i = 0; i < role->members.count; i++)
        if (identity_is(who, role->members.at[i]))
            return true;
    return false;
}

static bool names_resource(const Role *role, const Resource *resource)
{
    for (size_t i = 0; i < role->allow.count; i++)
        if (names_cover(&role->allow.at[i].resources, resource->name))
            return true;
    return false;
}

const Role *policy_role(const Policy *p, const Identity *who, const Resource *resource)
{
    if (who->kind == IDENTITY_NOBODY)
        return NULL;
    for (size_t i = 0; i < p->roles.count; i++)
        if (is_member(&p->roles.at[i], who) && names_resource(&p->roles.at[i], resource))
            return &p->roles.at[i];
    return NULL;
}

bool policy_may_approve(const Policy *p, Bytes group, const Identity *who)
{
    if (who->kind != IDENTITY_HUMAN)
        return false;
    if (text_find(group, LIT("/")) < group.len)
        return identity_in_group(who, group);
    const Role *role = policy_role_named(p, group);

    return role != NULL && is_member(role, who);
}

bool policy_may_review(const Policy *p, const Identity *who, const Resource *resource)
{
    if (who->kind != IDENTITY_HUMAN)
        return false;
    for (size_t i = 0; i < p->roles.count; i++)
        if (is_member(&p->roles.at[i], who) &&
            names_cover(&p->roles.at[i].review.resources, resource->name))
            return true;
    return false;
}

bool policy_may_read_evidence(const Policy *p, const Identity *who)
{
    if (who->kind != IDENTITY_HUMAN)
        return false;
    for (size_t i = 0; i < p->roles.count; i++)
        if (p->roles.at[i].evidence == EVIDENCE_READ && is_member(&p->roles.at[i], who))
            return true;
    return false;
}

static bool part_matches(Bytes pattern, Bytes name)
{
    return pattern.len == 0 || text_eq_nocase(pattern, name);
}

bool pattern_matches(const NamePattern *p, Bytes schema, Bytes table, Bytes column)
{
    return part_matches(p->column, column) && part_matches(p->table, table) &&
           part_matches(p->schema, schema);
}

bool patterns_match_table(const NamePatterns *p, Bytes schema, Bytes table)
{
    for (size_t i = 0; i < p->count; i++)
        if (part_matches(p->at[i].schema, schema) && part_matches(p->at[i].table, table))
            return true;
    return p->count == 0;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '-' || c >= 0x80;
}

/* "*" becomes the empty part. */
static Err read_part(Bytes text, Bytes *ret)
{
    *ret = (Bytes){ 0 };
    if (text_eq(text, LIT("*")))
        return OK;
    if (text.len == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.len; i++)
        if (!is_name_byte(text.ptr[i]))
            return ERR_MALFORMED;
    *ret = text;
    return OK;
}

Err pattern_parse(Bytes text, bool columns, NamePattern *ret)
{
    Bytes parts[3];
    size_t count = 0;

    for (Bytes rest = text;;) {
        const size_t dot = text_find(rest, LIT("."));

        if (count == COUNT_OF(parts))
            return ERR_MALFORMED;
        TRY(read_part(bytes_upto(rest, dot), &parts[count++]));
        if (dot == rest.len)
            break;
        rest = bytes_from(rest, dot + 1);
    }
    const size_t least = columns ? 2 : 1;

    if (count < least || count > least + 1)
        return ERR_MALFORMED;
    *ret = (NamePattern){
        .column = columns ? parts[count - 1] : (Bytes){ 0 },
        .table = parts[count - least],
        .schema = count > least ? parts[0] : (Bytes){ 0 },
    };
    return OK;
}
