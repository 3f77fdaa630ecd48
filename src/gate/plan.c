/* Which column of an answer may leave how. The wire says where a column comes from, the text
 * said so before; both must agree, and the stricter mask holds. */
#include "gate/ruling.h"

#include "base/text.h"

/* Outputs as the text has them; NULL: it does not say. */
static const Statement *statement_of(const RowSource *source)
{
    const Meaning *m = source->judged != NULL ? source->judged->meaning : NULL;

    return m != NULL && source->statement < m->statement_count ? &m->statements[source->statement]
                                                               : NULL;
}

static bool is_clear(ColumnMask mask)
{
    return mask.method == MASK_CLEAR;
}

/* Does the text touch anything at all that does not leave in clear? */
static bool touches_protected(const Ruler *r, const Meaning *m)
{
    for (size_t i = 0; i < m->use_count; i++) {
        const ColumnUse *use = &m->uses[i];
        ColumnRef column;
        ColumnMask mask;

        if (use->kind == USE_COUNTED)
            continue;
        if (use->column.attnum == 0
                ? protection_of_row(r->protection, use->column.oid, &column, &mask)
                : !is_clear(protection_of(r->protection, use->column)))
            return true;
    }
    return false;
}

/* The wire says (0, 0). Policy has refused what is computed from a protected column, so it
 * leaves in clear, unless the text said that it is a column. */
static Err plan_computed(const Ruler *r, const RowSource *source, const Statement *s, size_t index,
                         ColumnMask *ret)
{
    *ret = (ColumnMask){ .method = MASK_CLEAR };
    if (s == NULL)
        return ERR_REFUSED;
    if (!s->outputs_known)
        return touches_protected(r, source->judged->meaning) ? ERR_REFUSED : OK;
    const Output *output = &s->outputs[index];
    return output->kind == OUTPUT_COLUMN && !is_clear(protection_of(r->protection, output->column))
               ? ERR_REFUSED
               : OK;
}

static Err plan_column(const Ruler *r, const Statement *s, size_t index, ColumnRef column,
                       ColumnMask *ret)
{
    ColumnRef first;
    ColumnMask first_mask;

    if (column.attnum == 0) {
        if (protection_of_row(r->protection, column.oid, &first, &first_mask))
            return ERR_REFUSED;
        *ret = (ColumnMask){ .method = MASK_CLEAR };
        return OK;
    }
    *ret = protection_of(r->protection, column);
    if (ret->method == MASK_WITHHOLD)
        return ERR_REFUSED;
    if (s == NULL || !s->outputs_known || s->outputs[index].kind != OUTPUT_COLUMN ||
        column_ref_eq(s->outputs[index].column, column))
        return OK;
    const ColumnMask said = protection_of(r->protection, s->outputs[index].column);
    return mask_strength(said.method) > mask_strength(ret->method) ? ERR_REFUSED : OK;
}

static Err note(Ruler *r, ColumnRef column, ColumnMask mask)
{
    CLEANUP(buf_done) Buf name = { 0 };
    const SchemaRelation *relation = schema_by_oid(r->schema, column.oid);
    const SchemaColumn *c = relation != NULL ? schema_column(relation, column.attnum) : NULL;
    void *old = NULL;

    if (is_clear(mask) || c == NULL || r->masked.count >= RULER_MASKED_MAX)
        return OK;
    buf_init(&name, 256);
    TRY(text_format(&name, "%.*s.%.*s", SHOW(relation->name), SHOW(c->name)));
    TRY(map_put(&r->masked, buf_view(&name), r, &old));
    r->new_masks = r->new_masks || old == NULL || r->notices == NOTICES_ALL;
    if (old != NULL)
        return OK;
    return text_format(&r->masked_text, "%s%.*s (%s%s)", r->masked.count > 1 ? ", " : "",
                       SHOW(buf_view(&name)), mask_method_name(mask.method),
                       mask.unclassified ? ", unclassified" : "");
}

static Err plan_all(Ruler *r, const RowSource *source, const WireColumn *columns, size_t count,
                    ColumnMask *ret_masks)
{
    const Statement *s = statement_of(source);

    if (s != NULL && s->outputs_known && s->output_count != count)
        return ERR_REFUSED;
    for (size_t i = 0; i < count; i++) {
        const ColumnRef column = columns[i].column;

        if (column.oid == 0)
            TRY(plan_computed(r, source, s, i, &ret_masks[i]));
        else
            TRY(plan_column(r, s, i, column, &ret_masks[i]));
        TRY(note(r, column, ret_masks[i]));
    }
    return OK;
}

static bool all_known(const Ruler *r, const WireColumn *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (columns[i].column.oid != 0 && schema_by_oid(r->schema, columns[i].column.oid) == NULL)
            return false;
    return true;
}

/* Somebody changed the schema after the text was ruled on: the old understanding is void. */
static Err plan_again(Ruler *r, const RowSource *source, const WireColumn *columns, size_t count,
                      ColumnMask *ret_masks)
{
    Judged *judged;

    r->plan_again = false;
    if (source->judged == NULL || !all_known(r, columns, count))
        return ERR_REFUSED;
    TRY(ruler_look_again(r, source->judged->text, &judged));
    const RowSource fresh = { judged, source->statement };
    const Err err = plan_all(r, &fresh, columns, count, ret_masks);
    look_drop(judged);
    return err;
}

Err ruler_plan(void *ctx, const RowSource *source, const WireColumn *columns, size_t count,
               ColumnMask *ret_masks)
{
    Ruler *r = ctx;

    if (r->plan_again)
        return plan_again(r, source, columns, count, ret_masks);
    if (r->plan_waits || !all_known(r, columns, count)) {
        r->plan_waits = true;
        return ERR_MORE;
    }
    return plan_all(r, source, columns, count, ret_masks);
}

/* --- telling the client --------------------------------------------------------------------- */

bool ruler_notice(void *ctx, Fault *ret_fault)
{
    Ruler *r = ctx;
    CLEANUP(buf_done) Buf fact = { 0 }, hint = { 0 };
    const size_t count = r->masked.count;

    if (!r->new_masks || r->notices == NOTICES_OFF)
        return false;
    r->new_masks = false;
    buf_init(&fact, 16 << 10);
    buf_init(&hint, 64);
    *ret_fault = (Fault){ .code = CHP_3110 };
    arena_done(&r->words);
    return text_format(&fact, "%zu column%s masked: ", count, count == 1 ? "" : "s") == OK &&
           buf_append(&fact, buf_view(&r->masked_text)) == OK &&
           text_format(&hint, "session %s", id_text('s', r->session).text) == OK &&
           arena_copy(&r->words, buf_view(&fact), &ret_fault->fact) == OK &&
           arena_copy(&r->words, buf_view(&hint), &ret_fault->hint) == OK;
}
