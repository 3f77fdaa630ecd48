/* Masks must not come back as data: Django's save() writes every column of the row it loaded. */
#include "base/text.h"
#include "policy/judge_parts.h"

enum { PREFIX_MAX = 8, CODE_MIN = 16 };

static const Bytes PLACEHOLDER = LIT_INIT("\xE2\x96\x92"); /* U+2592, what redact writes */

static bool is_prefix_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Crockford's alphabet, upper case: without I, L, O, U. */
static bool is_code_char(uint8_t c)
{
    return is_prefix_char(c) && c != 'I' && c != 'L' && c != 'O' && c != 'U';
}

static bool is_word_char(uint8_t c)
{
    return is_prefix_char(c) || (c >= 'a' && c <= 'z') || c == '_';
}

/* Is the '-' at `dash` the one inside "MRN-7F3A2CQ4W9T2K8PN"? */
static bool is_pseudonym_dash(Bytes text, size_t dash, size_t *ret_start)
{
    size_t prefix = 0, code = 0;

    while (prefix < dash && is_prefix_char(text.ptr[dash - 1 - prefix]))
        prefix++;
    while (dash + 1 + code < text.len && is_code_char(text.ptr[dash + 1 + code]))
        code++;
    if (prefix == 0 || prefix > PREFIX_MAX || code < CODE_MIN)
        return false;
    const size_t end = dash + 1 + code;

    if (prefix < dash && is_word_char(text.ptr[dash - 1 - prefix]))
        return false;
    if (end < text.len && is_word_char(text.ptr[end]))
        return false;
    *ret_start = dash - prefix;
    return true;
}

size_t policy_find_artefact(Bytes value)
{
    const size_t placeholder = text_find(value, PLACEHOLDER);
    size_t start;

    for (size_t i = 0; i < placeholder; i++)
        if (value.ptr[i] == '-' && is_pseudonym_dash(value, i, &start))
            return start;
    return placeholder;
}

bool policy_is_artefact(Bytes value)
{
    return policy_find_artefact(value) < value.len;
}

/* Binary formats in which the bytes of a placeholder come up by chance. Texts, JSON, XML and
 * arrays of them hold their characters as they are. */
static bool is_numbers_only(uint32_t type)
{
    static const uint32_t TYPES[] = {
        16 /* bool */,          17 /* bytea */,      20 /* int8 */,     21 /* int2 */,
        23 /* int4 */,          26 /* oid */,        600 /* point */,   700 /* float4 */,
        701 /* float8 */,       790 /* money */,     829 /* macaddr */, 869 /* inet */,
        650 /* cidr */,         1082 /* date */,     1083 /* time */,   1114 /* timestamp */,
        1184 /* timestamptz */, 1186 /* interval */, 1266 /* timetz */, 1560 /* bit */,
        1562 /* varbit */,      1700 /* numeric */,  2950 /* uuid */,
    };

    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        if (TYPES[i] == type)
            return true;
    return false;
}

bool policy_value_is_artefact(const Value *v)
{
    if (v->is_null || (v->binary && is_numbers_only(v->type_oid)))
        return false;
    return policy_is_artefact(v->bytes);
}

/* At Parse the values are not there yet: they are judged at Bind. */
static const Value *parameter(const Judgement *in, uint32_t number)
{
    if (number == 0 || number > in->command->value_count)
        return NULL;
    return &in->command->values[number - 1];
}

static bool use_has_artefact(const Judgement *in, const ValueUse *use)
{
    if (use->parameter == 0)
        return policy_is_artefact(use->literal);
    const Value *v = parameter(in, use->parameter);

    return v != NULL && policy_value_is_artefact(v);
}

/* Answered as asked, it would find no row, and the caller would believe it. */
static Verdict compared(const Judgement *in, const ValueUse *use)
{
    Verdict v = refusal(in, CHP_3113, in->role->name, use->position,
                        words(in,
                              "%.*s is compared with a mask, and masks in conditions are not "
                              "available in this version",
                              SHOW(words_column(in, use->column))));

    v.fault.next = LIT("filter by a column that is not protected");
    return v;
}

static Verdict written(const Judgement *in, const ValueUse *use)
{
    Verdict v = refusal(in, CHP_3112, in->role->name, use->position,
                        words(in, "the new value of %.*s is a mask, not the real value",
                              SHOW(words_column(in, use->column))));

    v.fault.next = LIT("leave the column out of the statement, or give its real value");
    return v;
}

static bool named_value_refuses(const Judgement *in, Verdict *ret)
{
    for (size_t i = 0; i < in->meaning->value_count; i++) {
        const ValueUse *use = &in->meaning->values[i];

        if (!use_has_artefact(in, use))
            continue;
        if (use->kind == USE_WRITTEN) {
            *ret = written(in, use);
            return true;
        }
        if (protection_of(in->protection, use->column).method != MASK_CLEAR) {
            *ret = compared(in, use);
            return true;
        }
    }
    return false;
}

/* Values whose target nobody named: inside an expression, a function call, a sub-select. */
static bool loose_value_refuses(const Judgement *in, Verdict *ret)
{
    const Command *c = in->command;
    const size_t at = policy_find_artefact(c->text);

    for (size_t i = 0; i < c->value_count; i++)
        if (policy_value_is_artefact(&c->values[i])) {
            *ret = refusal(
                in, CHP_3112, in->role->name, NOWHERE,
                words(in, "the value of parameter $%zu is a mask, not a real value", i + 1));
            ret->fault.next = LIT("leave it out, or give the real value");
            return true;
        }
    if (at == c->text.len)
        return false;
    *ret = refusal(in, CHP_3112, in->role->name, (uint32_t)at,
                   LIT("a mask stands in a statement that writes"));
    ret->fault.next = LIT("leave it out, or give the real value");
    return true;
}

bool value_refuses(const Judgement *in, Verdict *ret)
{
    static const unsigned STORES = EFFECT_WRITE | EFFECT_OPAQUE | EFFECT_DDL;

    if (named_value_refuses(in, ret))
        return true;
    return (in->meaning->effects & STORES) != 0 && loose_value_refuses(in, ret);
}
