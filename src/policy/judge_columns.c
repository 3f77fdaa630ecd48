/* What a command does with columns that do not leave in clear. Output of such a column by
 * itself is fine: the mask plan sees to it. */
#include "base/text.h"
#include "policy/judge_parts.h"

enum { NAME_SHOWN = 64 };

/* A use of a column, or row, that is not clear; `mask` is of `column`, the first such one. */
typedef struct Touch {
    const ColumnUse *use;
    ColumnRef column;
    ColumnMask mask;
} Touch;

static bool is_masked(const Judgement *in, ColumnRef column, ColumnRef *ret_column,
                      ColumnMask *ret_mask)
{
    if (column.attnum == 0)
        return protection_of_row(in->protection, column.oid, ret_column, ret_mask);
    *ret_column = column;
    *ret_mask = protection_of(in->protection, column);
    return ret_mask->method != MASK_CLEAR;
}

static const char *shown_as(ColumnMask mask)
{
    if (mask.unclassified)
        return "unclassified, so masked";
    switch (mask.method) {
    case MASK_NULL:
        return "masked: null";
    case MASK_REDACT:
        return "masked: redact";
    case MASK_YEAR:
        return "masked: year";
    case MASK_ZIP3:
        return "masked: zip3";
    case MASK_PSEUDONYM:
        return "masked: pseudonym";
    case MASK_CLEAR:
    case MASK_WITHHOLD:
        break;
    }
    return "withheld";
}

static Verdict column_refusal(const Judgement *in, MessageCode code, const Touch *t, Bytes fact)
{
    return refusal(in, code, masking_rule(in), t->use->position, fact);
}

static Verdict row_refusal(const Judgement *in, const Touch *t)
{
    Verdict v =
        column_refusal(in, CHP_3111, t,
                       words(in, "the whole row is used as one value, and it holds %.*s (%s)",
                             SHOW(words_column(in, t->column)), shown_as(t->mask)));

    v.fault.next = LIT("name the columns you need");
    return v;
}

static Verdict withheld_refusal(const Judgement *in, const Touch *t)
{
    Verdict v = column_refusal(in, CHP_3111, t,
                               words(in, "%.*s holds values of other tables, or is not known",
                                     SHOW(words_column(in, t->column))));

    v.fault.next = LIT("leave the column out of the statement");
    return v;
}

static Bytes output_name(const Judgement *in, const ColumnUse *use)
{
    const Statement *s = use->statement < in->meaning->statement_count
                             ? &in->meaning->statements[use->statement]
                             : NULL;

    if (s == NULL || use->output >= s->output_count || s->outputs[use->output].name.len == 0)
        return LIT("an output");
    return words(in, "output \"%.*s\"", SHOW(utf8_upto(s->outputs[use->output].name, NAME_SHOWN)));
}

static Verdict derived_refusal(const Judgement *in, const Touch *t)
{
    return column_refusal(in, CHP_3111, t,
                          words(in, "%.*s is computed from %.*s (%s)",
                                SHOW(output_name(in, t->use)), SHOW(words_column(in, t->column)),
                                shown_as(t->mask)));
}

/* The relation that a statement stores into. */
static Bytes target_of(const Judgement *in, uint32_t statement)
{
    for (size_t i = 0; i < in->meaning->relation_count; i++) {
        const RelationUse *r = &in->meaning->relations[i];

        if (r->statement == statement && (r->effects & (EFFECT_WRITE | EFFECT_DDL)) != 0)
            return r->name;
    }
    return LIT("another place");
}

static Verdict carried_refusal(const Judgement *in, const Touch *t)
{
    Verdict v = column_refusal(in, CHP_3111, t,
                               words(in, "the value of %.*s (%s) would be carried into %.*s",
                                     SHOW(words_column(in, t->column)), shown_as(t->mask),
                                     SHOW(target_of(in, t->use->statement))));

    v.fault.next = LIT("leave the column out of the statement");
    return v;
}

static Verdict predicate_refusal(const Judgement *in, const Touch *t)
{
    const Bytes column = words_column(in, t->column);
    const bool equals = t->use->kind == USE_EQUALS_VALUE;
    const Predicates allowed = in->role->predicates;
    Verdict v;

    if (equals && allowed == PREDICATES_TOKEN)
        v = column_refusal(in, CHP_3113, t,
                           words(in,
                                 "role %.*s may compare %.*s (%s) with a pseudonym only, and "
                                 "pseudonyms in conditions are not available in this version",
                                 SHOW(in->role->name), SHOW(column), shown_as(t->mask)));
    else
        v = column_refusal(
            in, CHP_3113, t,
            words(in, "%.*s (%s) decides about the result", SHOW(column), shown_as(t->mask)));
    if (!equals && allowed == PREDICATES_EQUALITY)
        v.fault.next = LIT("compare it with = to a value, or filter by a column that is not "
                           "protected");
    return v;
}

bool mask_may_be_written(MaskMethod method)
{
    return method == MASK_CLEAR || method == MASK_REDACT || method == MASK_PSEUDONYM;
}

static Verdict write_refusal(const Judgement *in, const Touch *t)
{
    const Bytes column = words_column(in, t->column);
    Verdict v = column_refusal(in, CHP_3112, t,
                               words(in,
                                     "role %.*s sees %.*s in part only (%s), so a write could "
                                     "destroy it",
                                     SHOW(in->role->name), SHOW(column), shown_as(t->mask)));

    v.fault.next = words(in, "leave %.*s out of the statement", SHOW(column));
    return v;
}

/* The first column of a use that the role does not see well enough to write it. */
static bool find_unwritable(const Judgement *in, const ColumnUse *use, Touch *ret)
{
    const SchemaRelation *r = schema_by_oid(in->schema, use->column.oid);

    if (use->column.attnum != 0 || r == NULL) {
        *ret = (Touch){ use, use->column, protection_of(in->protection, use->column) };
        return !mask_may_be_written(ret->mask.method);
    }
    for (size_t i = 0; i < r->column_count; i++) {
        const ColumnRef column = { r->oid, r->columns[i].attnum };

        *ret = (Touch){ use, column, protection_of(in->protection, column) };
        if (!mask_may_be_written(ret->mask.method))
            return true;
    }
    return false;
}

static bool write_refuses(const Judgement *in, const ColumnUse *use, Verdict *ret)
{
    Touch t;

    if (!find_unwritable(in, use, &t))
        return false;
    if (t.mask.method == MASK_WITHHOLD) {
        *ret = withheld_refusal(in, &t);
        return true;
    }
    if (in->role->writes != WRITES_REFUSE)
        return false;
    *ret = write_refusal(in, &t);
    return true;
}

bool columns_want_hold(const Judgement *in, ColumnRef *ret_column)
{
    Touch t;

    if (in->role->writes != WRITES_HOLD)
        return false;
    for (size_t i = 0; i < in->meaning->use_count; i++)
        if (in->meaning->uses[i].kind == USE_WRITTEN &&
            find_unwritable(in, &in->meaning->uses[i], &t)) {
            *ret_column = t.column;
            return true;
        }
    return false;
}

/* Of a column that is not clear. */
static bool touch_refuses(const Judgement *in, const Touch *t, Verdict *ret)
{
    const bool row = t->use->column.attnum == 0;

    if (t->mask.method == MASK_WITHHOLD) {
        *ret = withheld_refusal(in, t);
        return true;
    }
    switch (t->use->kind) {
    case USE_COUNTED:
    case USE_WRITTEN:
        return false;
    case USE_OUTPUT:
        if (row)
            *ret = row_refusal(in, t);
        return row;
    case USE_DERIVED:
        *ret = row ? row_refusal(in, t) : derived_refusal(in, t);
        return true;
    case USE_EQUALS_VALUE:
        if (in->role->predicates == PREDICATES_EQUALITY || in->role->predicates == PREDICATES_ANY)
            return false;
        *ret = predicate_refusal(in, t);
        return true;
    case USE_PREDICATE:
        if (in->role->predicates == PREDICATES_ANY)
            return false;
        *ret = predicate_refusal(in, t);
        return true;
    case USE_CARRIED:
        break;
    }
    *ret = carried_refusal(in, t);
    return true;
}

/* What comes back was computed by code we cannot see into: it may be any column's value. */
static bool returns_opaque(const Statement *s)
{
    const bool returns_rows =
        s->kind == STATEMENT_SELECT || s->kind == STATEMENT_CALL || s->kind == STATEMENT_EXPLAIN;

    if ((s->effects & EFFECT_OPAQUE) == 0)
        return false;
    if (!s->outputs_known)
        return returns_rows;
    for (size_t i = 0; i < s->output_count; i++)
        if (s->outputs[i].kind == OUTPUT_COMPUTED)
            return true;
    return false;
}

static bool opaque_refuses(const Judgement *in, Verdict *ret)
{
    if (!protection_any(in->protection))
        return false;
    for (size_t i = 0; i < in->meaning->statement_count; i++) {
        const Statement *s = &in->meaning->statements[i];

        if (!returns_opaque(s))
            continue;
        *ret = refusal(in, CHP_3111, masking_rule(in), s->start,
                       words(in, "%.*s returns what code computes that the gateway cannot see into",
                             SHOW(words_statement(in, i, false))));
        ret->fault.next = LIT("use PostgreSQL's own functions, or select columns directly");
        return true;
    }
    return false;
}

bool column_refuses(const Judgement *in, Verdict *ret)
{
    for (size_t i = 0; i < in->meaning->use_count; i++) {
        Touch t = { .use = &in->meaning->uses[i] };

        if (t.use->kind == USE_WRITTEN) {
            if (write_refuses(in, t.use, ret))
                return true;
            continue;
        }
        if (is_masked(in, t.use->column, &t.column, &t.mask) && touch_refuses(in, &t, ret))
            return true;
    }
    return opaque_refuses(in, ret);
}
