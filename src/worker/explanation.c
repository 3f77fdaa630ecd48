#include "worker/explanation.h"

#include "base/json_write.h"
#include "base/text.h"

enum { LIST_MAX = 200, NAME_SHOWN = 128, WORDS_MAX = 8192 };

typedef struct Explanation {
    const Ruler *ruler;
    const Verdict *verdict;
    const Meaning *meaning; /* NULL: nothing was understood */
    uint64_t omitted;
    Json json;
} Explanation;

static Bytes name_shown(Bytes name)
{
    return utf8_upto(name, NAME_SHOWN);
}

static void put_effects(Json *j, unsigned effects)
{
    json_write_array(j, "effects");
    for (unsigned bit = 1; bit <= EFFECT_OPAQUE; bit <<= 1)
        if ((effects & bit) != 0 && effect_name(bit) != NULL)
            json_write_string(j, NULL, text_of(effect_name(bit)));
    json_write_array_end(j);
}

/* How many of a list are written; the others are counted. */
static size_t shown_of(Explanation *x, size_t count)
{
    const size_t shown = count < LIST_MAX ? count : LIST_MAX;

    x->omitted += count - shown;
    return shown;
}

/* --- who and what ------------------------------------------------------------------------- */

static void put_subject(Explanation *x)
{
    const Ruler *r = x->ruler;
    Json *j = &x->json;

    json_write_u64(j, "schema_version", 1);
    json_write_string(j, "resource", r->resource->name);
    json_write_string(j, "identity", r->identity->name);
    json_write_string(j, "kind", text_of(identity_kind_name(r->identity->kind)));
    if (r->role != NULL)
        json_write_string(j, "role", r->role->name);
    else
        json_write_null(j, "role");
    json_write_string(j, "verdict", text_of(ruling_name(x->verdict->ruling)));
}

/* --- words -------------------------------------------------------------------------------- */

/* What hold.c will tell, but for the request's id, which only asking gives. */
static Err word_hold(const Verdict *v, Buf *fact, Fault *ret)
{
    *ret = (Fault){ .code = v->hold.ticket ? CHP_3202 : CHP_3201, .rule = LIT("approval") };
    TRY(v->hold.ticket
            ? text_format(fact, "approval needed: a request will wait for %.*s",
                          SHOW(v->hold.group))
            : text_format(fact, "waiting for approval by %.*s, up to %llu min", SHOW(v->hold.group),
                          (unsigned long long)(v->hold.hold_ms + 59999) / 60000));
    ret->fact = buf_view(fact);
    return OK;
}

static Err put_fault(Explanation *x, const Fault *fault, Bytes detail)
{
    CLEANUP(buf_done) Buf message = { 0 };
    CLEANUP(buf_done) Buf code = { 0 };
    const MessageEntry *entry = message_entry(fault->code);
    Json *j = &x->json;

    if (entry == NULL)
        return ERR_MALFORMED;
    buf_init(&message, WORDS_MAX);
    buf_init(&code, 32);
    TRY(text_format(&code, "CHP-%d", (int)fault->code));
    TRY(message_primary(fault, (Bytes){ 0 }, &message));
    json_write_string(j, "code", buf_view(&code));
    json_write_string(j, "rule", x->verdict->rule);
    json_write_string(j, "message", buf_view(&message));
    json_write_string(j, "next", fault->next.len > 0 ? fault->next : text_of(entry->next));
    json_write_string(j, "detail", detail);
    json_write_u64(j, "position", x->verdict->fault.position);
    return OK;
}

static Err put_hold(Explanation *x)
{
    CLEANUP(buf_done) Buf fact = { 0 };
    CLEANUP(buf_done) Buf detail = { 0 };
    const Verdict *v = x->verdict;
    Fault fault;

    buf_init(&fact, WORDS_MAX);
    buf_init(&detail, WORDS_MAX);
    TRY(word_hold(v, &fact, &fault));
    TRY(text_format(&detail, "rule %.*s: %.*s", SHOW(v->rule), SHOW(v->fault.fact)));
    return put_fault(x, &fault, buf_view(&detail));
}

static Err put_words(Explanation *x)
{
    const Verdict *v = x->verdict;
    Json *j = &x->json;

    if (v->ruling == RULING_HOLD)
        return put_hold(x);
    if (v->ruling == RULING_DENY)
        return put_fault(x, &v->fault, v->fault.detail);
    json_write_null(j, "code");
    json_write_string(j, "rule", v->rule);
    json_write_string(j, "message", (Bytes){ 0 });
    json_write_string(j, "next", (Bytes){ 0 });
    json_write_string(j, "detail", (Bytes){ 0 });
    json_write_u64(j, "position", 0);
    return OK;
}

/* --- what it would touch ------------------------------------------------------------------ */

static void put_statements(Explanation *x)
{
    Json *j = &x->json;
    const size_t count = x->meaning != NULL ? shown_of(x, x->meaning->statement_count) : 0;

    json_write_array(j, "statements");
    for (size_t i = 0; i < count; i++) {
        const Statement *s = &x->meaning->statements[i];

        json_write_object(j, NULL);
        json_write_string(j, "kind", text_of(statement_kind_name(s->kind)));
        put_effects(j, s->effects);
        json_write_object_end(j);
    }
    json_write_array_end(j);
}

static void put_relations(Explanation *x)
{
    Json *j = &x->json;
    const size_t count = x->meaning != NULL ? shown_of(x, x->meaning->relation_count) : 0;

    json_write_array(j, "relations");
    for (size_t i = 0; i < count; i++) {
        const RelationUse *u = &x->meaning->relations[i];

        json_write_object(j, NULL);
        json_write_string(j, "schema", name_shown(u->schema));
        json_write_string(j, "name", name_shown(u->name));
        put_effects(j, u->effects);
        json_write_object_end(j);
    }
    json_write_array_end(j);
}

static Err put_origin(Explanation *x, ColumnRef column)
{
    CLEANUP(buf_done) Buf name = { 0 };
    const SchemaRelation *relation = schema_by_oid(x->ruler->schema, column.oid);
    const SchemaColumn *c = relation != NULL ? schema_column(relation, column.attnum) : NULL;

    if (c == NULL) {
        json_write_null(&x->json, "from");
        return OK;
    }
    buf_init(&name, 4 * NAME_SHOWN);
    TRY(text_format(&name, "%.*s.%.*s", SHOW(name_shown(relation->name)),
                    SHOW(name_shown(c->name))));
    json_write_string(&x->json, "from", buf_view(&name));
    return OK;
}

/* As gate/plan.c: policy has refused what is computed from a protected column. */
static Err put_output(Explanation *x, size_t statement, const Output *o)
{
    const bool is_column = o->kind == OUTPUT_COLUMN;
    const ColumnMask mask = is_column ? protection_of(x->ruler->protection, o->column)
                                      : (ColumnMask){ .method = MASK_CLEAR };
    Json *j = &x->json;

    json_write_object(j, NULL);
    json_write_u64(j, "statement", statement);
    json_write_string(j, "name", name_shown(o->name));
    TRY(put_origin(x, is_column ? o->column : (ColumnRef){ 0 }));
    json_write_string(j, "leaves", text_of(mask_method_name(mask.method)));
    json_write_bool(j, "unclassified", mask.unclassified);
    json_write_object_end(j);
    return OK;
}

static Err put_outputs(Explanation *x)
{
    const Meaning *m = x->verdict->ruling != RULING_DENY ? x->meaning : NULL;
    size_t room = LIST_MAX;

    json_write_array(&x->json, "outputs");
    for (size_t i = 0; m != NULL && i < m->statement_count; i++) {
        const Statement *s = &m->statements[i];
        const size_t all = s->outputs_known ? s->output_count : 0;
        const size_t shown = all < room ? all : room;

        for (size_t k = 0; k < shown; k++)
            TRY(put_output(x, i, &s->outputs[k]));
        room -= shown;
        x->omitted += all - shown;
    }
    json_write_array_end(&x->json);
    return OK;
}

/* --- approval and order ------------------------------------------------------------------- */

static void put_approval(Explanation *x)
{
    const HoldTerms *h = &x->verdict->hold;
    Json *j = &x->json;

    if (x->verdict->ruling != RULING_HOLD) {
        json_write_null(j, "approval");
        return;
    }
    json_write_object(j, "approval");
    json_write_string(j, "group", h->group);
    json_write_u64(j, "count", h->count);
    json_write_u64(j, "hold_ms", h->hold_ms);
    json_write_u64(j, "valid_ms", h->valid_ms);
    json_write_bool(j, "ticket", h->ticket);
    json_write_object_end(j);
}

static const char *outcome_of(const Verdict *v, EvaluationStep step)
{
    if (step < v->step)
        return "passed";
    if (v->ruling == RULING_ALLOW)
        return "follows";
    if (step > v->step)
        return "not reached";
    return v->ruling == RULING_HOLD ? "holds" : "refused";
}

static void put_order(Explanation *x)
{
    static const char *const NAMES[] = {
#define EVALUATION_NAME(name, text) [EVALUATION_##name] = text,
        EVALUATION_STEPS(EVALUATION_NAME)
#undef EVALUATION_NAME
    };
    Json *j = &x->json;

    json_write_array(j, "order");
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        json_write_object(j, NULL);
        json_write_string(j, "step", text_of(NAMES[i]));
        json_write_string(j, "outcome", text_of(outcome_of(x->verdict, (EvaluationStep)i)));
        json_write_object_end(j);
    }
    json_write_array_end(j);
}

Err explanation_write(const Ruler *r, const GateRuling *ruling, Buf *out)
{
    const Meaning *m = ruling->judged != NULL ? ruling->judged->meaning : NULL;
    Explanation x = { .ruler = r,
                      .verdict = &ruling->verdict,
                      .meaning = m != NULL && m->understood ? m : NULL };

    x.json = json_write_begin(out);
    json_write_object(&x.json, NULL);
    put_subject(&x);
    TRY(put_words(&x));
    put_statements(&x);
    put_relations(&x);
    TRY(put_outputs(&x));
    json_write_u64(&x.json, "omitted", x.omitted);
    put_approval(&x);
    put_order(&x);
    json_write_object_end(&x.json);
    return json_write_end(&x.json);
}
