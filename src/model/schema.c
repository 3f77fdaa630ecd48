#include "model/schema.h"

#include "base/text.h"

static int compare_names(Bytes schema_a, Bytes name_a, Bytes schema_b, Bytes name_b)
{
    const int order = text_compare(schema_a, schema_b);

    return order != 0 ? order : text_compare(name_a, name_b);
}

const SchemaRelation *schema_find(const Schema *s, Bytes schema, Bytes name)
{
    size_t low = 0, high = s->relation_count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const SchemaRelation *r = &s->relations[mid];
        const int order = compare_names(schema, name, r->schema, r->name);

        if (order == 0)
            return r;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const SchemaRelation *schema_by_oid(const Schema *s, uint32_t oid)
{
    size_t low = 0, high = s->relation_count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const SchemaRelation *r = &s->relations[s->by_oid[mid]];

        if (r->oid == oid)
            return r;
        if (oid < r->oid)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const SchemaColumn *schema_column(const SchemaRelation *r, int16_t attnum)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (r->columns[i].attnum == attnum)
            return &r->columns[i];
    return NULL;
}

const SchemaColumn *schema_column_named(const SchemaRelation *r, Bytes name)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (text_eq(r->columns[i].name, name))
            return &r->columns[i];
    return NULL;
}

bool schema_has_name(const SchemaName *sorted, size_t count, Bytes schema, Bytes name)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = compare_names(schema, name, sorted[mid].schema, sorted[mid].name);

        if (order == 0)
            return true;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

bool schema_is_system(Bytes schema)
{
    return text_eq(schema, LIT("pg_catalog")) || text_eq(schema, LIT("information_schema")) ||
           text_eq(schema, LIT("pg_toast"));
}

bool column_ref_eq(ColumnRef a, ColumnRef b)
{
    return a.oid == b.oid && a.attnum == b.attnum;
}
