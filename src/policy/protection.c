#include "policy/protection.h"

#include "base/text.h"
#include "policy/column_class.h"

enum { PASSES_MAX = 64 }; /* views on views, partitions of partitions: far more than people nest */

/* Built-in type oids: fixed by PostgreSQL's pg_type.dat for ever. */
enum {
    OID_BOOL = 16,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_UUID = 2950,
    OID_FIRST_USER = 16384,
};

typedef struct Entry {
    ColumnRef ref;
    ColumnMask mask;
    bool ruled; /* a rule, not a default, decided */
} Entry;

struct Protection {
    const Entry *entries; /* sorted by oid, attnum */
    size_t count;
    const ColumnRef *sticky;
    size_t sticky_count;
    bool any;
};

/* Where the entries of relation schema->relations[i] begin. */
typedef struct Making {
    const ProtectionInput *in;
    Entry *entries;
    size_t count;
    size_t *first;
    bool changed;
} Making;

unsigned mask_strength(MaskMethod method)
{
    switch (method) {
    case MASK_CLEAR:
        return 0;
    case MASK_YEAR:
        return 1;
    case MASK_ZIP3:
        return 2;
    case MASK_PSEUDONYM:
        return 3;
    case MASK_REDACT:
        return 4;
    case MASK_NULL:
        return 5;
    case MASK_WITHHOLD:
        break;
    }
    return 6;
}

static bool is_text_type(uint32_t type)
{
    return type == OID_TEXT || type == OID_VARCHAR || type == OID_BPCHAR || type == OID_NAME;
}

static bool is_integer_type(uint32_t type)
{
    return type == OID_INT2 || type == OID_INT4 || type == OID_INT8;
}

static bool passes_unclassified(uint32_t type)
{
    return is_integer_type(type) || type == OID_BOOL || type == OID_FLOAT4 || type == OID_FLOAT8 ||
           type == OID_NUMERIC || type == OID_OID;
}

/* Types of the user's own (domains, citext) are phi/'s question: it sees the wire's type. */
static bool type_carries(MaskMethod method, uint32_t type)
{
    if (type >= OID_FIRST_USER || is_text_type(type))
        return true;
    switch (method) {
    case MASK_YEAR:
        return type == OID_DATE || type == OID_TIMESTAMP || type == OID_TIMESTAMPTZ;
    case MASK_PSEUDONYM:
        return is_integer_type(type) || type == OID_UUID;
    case MASK_REDACT:
    case MASK_ZIP3:
        return false;
    case MASK_CLEAR:
    case MASK_NULL:
    case MASK_WITHHOLD:
        break;
    }
    return true;
}

static bool rule_names(const MaskingRule *rule, const Resource *resource, const SchemaRelation *r,
                       const SchemaColumn *c)
{
    if (rule->resource.len > 0 && !text_eq(rule->resource, LIT("*")) &&
        !text_eq(rule->resource, resource->name))
        return false;
    for (size_t i = 0; i < rule->columns.count; i++)
        if (pattern_matches(&rule->columns.at[i], r->schema, r->name, c->name))
            return true;
    return (rule->classes & (unsigned)column_class(c->name)) != 0;
}

static ColumnMask mask_of_rule(const MaskingRule *rule, const SchemaColumn *c)
{
    if (!type_carries(rule->method, c->type_oid))
        return (ColumnMask){ .method = MASK_NULL };
    if (rule->method != MASK_PSEUDONYM)
        return (ColumnMask){ .method = rule->method };
    return (ColumnMask){
        .method = MASK_PSEUDONYM,
        .class_prefix = rule->prefix.len > 0 ? rule->prefix
                                             : text_of(column_class_prefix(column_class(c->name))),
        .scope = text_eq(rule->scope, LIT("resource")) ? (Bytes){ 0 } : rule->scope,
    };
}

static Entry first_entry(const ProtectionInput *in, const SchemaRelation *r, const SchemaColumn *c)
{
    Entry e = { .ref = { r->oid, c->attnum } };

    if (schema_is_system(r->schema)) {
        const bool withheld = in->sensitive != NULL && in->sensitive(r->schema, r->name);

        e.mask.method = withheld ? MASK_WITHHOLD : MASK_CLEAR;
        return e;
    }
    for (size_t i = 0; in->profile != NULL && i < in->profile->rules.count; i++) {
        const MaskingRule *rule = &in->profile->rules.at[i];

        if (rule_names(rule, in->resource, r, c)) {
            e.mask = mask_of_rule(rule, c);
            e.ruled = true;
            return e;
        }
    }
    e.mask.unclassified = resource_is_phi(in->resource) && !passes_unclassified(c->type_oid);
    e.mask.method = e.mask.unclassified ? MASK_NULL : MASK_CLEAR;
    return e;
}

static Err first_masks(Making *m, Arena *arena)
{
    const Schema *s = m->in->schema;
    size_t total = 0;
    void *mem;

    for (size_t i = 0; i < s->relation_count; i++)
        total += s->relations[i].column_count;
    TRY(arena_array(arena, total, sizeof(Entry), &mem));
    m->entries = mem;
    TRY(arena_array(arena, s->relation_count, sizeof(size_t), &mem));
    m->first = mem;
    for (size_t i = 0; i < s->relation_count; i++) {
        const SchemaRelation *r = &s->relations[s->by_oid[i]];

        m->first[s->by_oid[i]] = m->count;
        for (size_t k = 0; k < r->column_count; k++)
            m->entries[m->count++] = first_entry(m->in, r, &r->columns[k]);
    }
    return OK;
}

static Entry *entries_of(const Making *m, const SchemaRelation *r)
{
    return &m->entries[m->first[r - m->in->schema->relations]];
}

static Entry *entry_of(const Making *m, ColumnRef ref)
{
    const SchemaRelation *r = schema_by_oid(m->in->schema, ref.oid);

    for (size_t i = 0; r != NULL && i < r->column_count; i++)
        if (r->columns[i].attnum == ref.attnum)
            return &entries_of(m, r)[i];
    return NULL;
}

static bool is_stronger(const Entry *a, const Entry *b)
{
    return mask_strength(a->mask.method) > mask_strength(b->mask.method);
}

static void take(Making *m, Entry *to, const Entry *from)
{
    to->mask = from->mask;
    to->ruled = from->ruled;
    m->changed = true;
}

/* Rule 5 for one column and its namesake in the parent. */
static void share(Making *m, Entry *child, Entry *parent)
{
    if (parent->ruled && (!child->ruled || is_stronger(parent, child))) {
        take(m, child, parent);
        return;
    }
    if (child->ruled && is_stronger(child, parent))
        take(m, parent, child);
}

static void share_with_parent(Making *m, const SchemaRelation *child, const SchemaRelation *parent)
{
    for (size_t i = 0; i < child->column_count; i++)
        for (size_t k = 0; k < parent->column_count; k++)
            if (text_eq(child->columns[i].name, parent->columns[k].name))
                share(m, &entries_of(m, child)[i], &entries_of(m, parent)[k]);
}

static void share_families(Making *m)
{
    const Schema *s = m->in->schema;

    for (size_t i = 0; i < s->relation_count; i++)
        for (size_t k = 0; k < s->relations[i].parent_count; k++) {
            const SchemaRelation *parent = schema_by_oid(s, s->relations[i].parents[k]);

            if (parent != NULL)
                share_with_parent(m, &s->relations[i], parent);
        }
}

static bool reads_masked(const Making *m, ColumnRef ref)
{
    if (ref.attnum < 0)
        return false;
    if (ref.attnum > 0) {
        const Entry *e = entry_of(m, ref);

        return e == NULL || e->mask.method != MASK_CLEAR;
    }
    const SchemaRelation *r = schema_by_oid(m->in->schema, ref.oid);

    for (size_t i = 0; r != NULL && i < r->column_count; i++)
        if (entries_of(m, r)[i].mask.method != MASK_CLEAR)
            return true;
    return r == NULL;
}

static bool view_shows_masked(const Making *m, const SchemaRelation *view)
{
    if (view->reading_runs_code && resource_is_phi(m->in->resource))
        return true;
    for (size_t i = 0; i < view->read_count; i++)
        if (reads_masked(m, view->reads[i]))
            return true;
    return false;
}

/* Rule 6. Masks only grow stronger from pass to pass, so passes end. */
static void inherit(Making *m, Entry *column, ColumnRef origin, bool shows_masked)
{
    static const Entry COMPUTED = { .mask = { .method = MASK_NULL, .unclassified = true } };
    static const Entry UNKNOWN = { .mask = { .method = MASK_WITHHOLD } };

    if (origin.oid == 0) {
        if (shows_masked && mask_strength(column->mask.method) < mask_strength(MASK_REDACT))
            take(m, column, &COMPUTED);
        return;
    }
    const Entry *base = entry_of(m, origin);

    base = base != NULL ? base : &UNKNOWN;
    /* A default of the view's own says nothing: what it shows is what the base says. */
    const bool follows = !column->ruled && column->mask.unclassified && !base->mask.unclassified;

    if (is_stronger(base, column) || (follows && base->mask.method != column->mask.method))
        take(m, column, base);
}

static bool is_view(const SchemaRelation *r)
{
    return r->kind == RELATION_VIEW || r->kind == RELATION_MATVIEW;
}

static void inherit_views(Making *m)
{
    const Schema *s = m->in->schema;

    for (size_t i = 0; i < s->relation_count; i++) {
        const SchemaRelation *r = &s->relations[i];

        if (!is_view(r) || schema_is_system(r->schema))
            continue;
        const bool shows_masked = view_shows_masked(m, r);

        for (size_t k = 0; k < r->column_count; k++)
            inherit(m, &entries_of(m, r)[k], r->columns[k].origin, shows_masked);
    }
}

/* False: no rest after PASSES_MAX. */
static bool settle(Making *m, void (*pass)(Making *))
{
    for (int i = 0; i < PASSES_MAX; i++) {
        m->changed = false;
        pass(m);
        if (!m->changed)
            return true;
    }
    return false;
}

static const Entry *find(const Protection *p, ColumnRef ref)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const Entry *e = &p->entries[mid];

        if (e->ref.oid < ref.oid || (e->ref.oid == ref.oid && e->ref.attnum < ref.attnum))
            low = mid + 1;
        else
            high = mid;
    }
    /* The first entry that is not before `ref`: of the same relation when there is one. */
    return low < p->count && p->entries[low].ref.oid == ref.oid ? &p->entries[low] : NULL;
}

static Err copy_mask(Arena *arena, const ColumnMask *from, ColumnMask *ret)
{
    ColumnMask mask = *from;

    TRY(arena_copy(arena, from->class_prefix, &mask.class_prefix));
    TRY(arena_copy(arena, from->scope, &mask.scope));
    *ret = mask;
    return OK;
}

static Err keep_sticky(const Making *m, Arena *arena, Protection *p)
{
    const Protection *previous = m->in->previous;
    ColumnRef *sticky;
    void *mem;

    if (previous == NULL)
        return OK;
    TRY(arena_array(arena, m->count, sizeof *sticky, &mem));
    sticky = mem;
    for (size_t i = 0; i < m->count; i++) {
        Entry *now = &m->entries[i];
        const Entry *was = find(previous, now->ref);

        if (was == NULL || !column_ref_eq(was->ref, now->ref) || !is_stronger(was, now))
            continue;
        TRY(copy_mask(arena, &was->mask, &now->mask));
        sticky[p->sticky_count++] = now->ref;
    }
    p->sticky = sticky;
    return OK;
}

static bool any_masked(const Making *m)
{
    const Schema *s = m->in->schema;

    for (size_t i = 0; i < s->relation_count; i++) {
        const SchemaRelation *r = &s->relations[i];

        for (size_t k = 0; !schema_is_system(r->schema) && k < r->column_count; k++)
            if (entries_of(m, r)[k].mask.method != MASK_CLEAR)
                return true;
    }
    return false;
}

Err protection_make(const ProtectionInput *in, Arena *arena, const Protection **ret)
{
    Making m = { .in = in };
    Protection *p;
    void *mem;

    TRY(arena_alloc(arena, sizeof *p, &mem));
    p = mem;
    TRY(first_masks(&m, arena));
    if (!settle(&m, share_families) || !settle(&m, inherit_views))
        return ERR_LIMIT;
    TRY(keep_sticky(&m, arena, p));
    /* What shows a sticky column must not be weaker than it. */
    if (p->sticky_count > 0 && !settle(&m, inherit_views))
        return ERR_LIMIT;
    p->entries = m.entries;
    p->count = m.count;
    p->any = any_masked(&m);
    *ret = p;
    return OK;
}

ColumnMask protection_of(const Protection *p, ColumnRef column)
{
    const Entry *e = p != NULL ? find(p, column) : NULL;

    if (e == NULL || column.attnum == 0)
        return (ColumnMask){ .method = MASK_WITHHOLD };
    if (column.attnum < 0 && e->mask.method != MASK_WITHHOLD)
        return (ColumnMask){ .method = MASK_CLEAR };
    return column_ref_eq(e->ref, column) ? e->mask : (ColumnMask){ .method = MASK_WITHHOLD };
}

bool protection_of_row(const Protection *p, uint32_t oid, ColumnRef *ret_column,
                       ColumnMask *ret_mask)
{
    const Entry *e = p != NULL ? find(p, (ColumnRef){ oid, INT16_MIN }) : NULL;

    if (e == NULL) {
        *ret_column = (ColumnRef){ oid, 0 };
        *ret_mask = (ColumnMask){ .method = MASK_WITHHOLD };
        return true;
    }
    for (; e < p->entries + p->count && e->ref.oid == oid; e++)
        if (e->mask.method != MASK_CLEAR) {
            *ret_column = e->ref;
            *ret_mask = e->mask;
            return true;
        }
    return false;
}

bool protection_any(const Protection *p)
{
    return p == NULL || p->any;
}

size_t protection_sticky(const Protection *p, const ColumnRef **ret_columns)
{
    *ret_columns = p->sticky;
    return p->sticky_count;
}
