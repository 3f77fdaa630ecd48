#include "worker/catalogue.h"

#include "base/reader.h"
#include "base/text.h"
#include "lang/sql/view_tree.h"

enum { FIELDS_MAX = 8, CLOSURE_ROUNDS = 64 };

typedef struct Row {
    Bytes field[FIELDS_MAX];
    size_t count;
} Row;

typedef struct Rows {
    Reader rest;
    size_t count;
} Rows;

/* --- rows ---------------------------------------------------------------------------------- */

static Err next_row(Reader *r, Row *ret)
{
    uint32_t size;
    uint16_t count;
    Bytes body;

    TRY(reader_u32(r, &size));
    TRY(reader_bytes(r, size, &body));
    Reader row = reader_of(body);
    TRY(reader_u16(&row, &count));
    *ret = (Row){ .count = count };
    for (uint16_t i = 0; i < count; i++) {
        uint32_t len;
        Bytes value = { 0 };

        TRY(reader_u32(&row, &len));
        if (len != UINT32_MAX)
            TRY(reader_bytes(&row, len, &value));
        if (i < FIELDS_MAX)
            ret->field[i] = value;
    }
    return OK;
}

static Err open_rows(const Buf *rows, Rows *ret)
{
    Reader r = reader_of(buf_view(rows));
    Row row;

    *ret = (Rows){ .rest = r };
    while (!reader_at_end(&r)) {
        TRY(next_row(&r, &row));
        ret->count++;
    }
    return OK;
}

static Err number(Bytes text, uint64_t max, uint64_t *ret)
{
    return text_u64(text, max, ret);
}

static Err oid_of(Bytes text, uint32_t *ret)
{
    uint64_t v;

    TRY(number(text, UINT32_MAX, &v));
    *ret = (uint32_t)v;
    return OK;
}

static bool flag(Bytes text)
{
    return text_eq(text, LIT("1"));
}

/* --- relations ------------------------------------------------------------------------------- */

typedef struct Build {
    Arena *arena;
    CatalogueRows *rows;
    Schema schema;
    SchemaRelation *relations;
    uint32_t *by_oid;
} Build;

static Err read_relations(Build *b)
{
    Rows rows;
    void *mem, *index;

    TRY(open_rows(&b->rows->rows[CATALOGUE_RELATIONS], &rows));
    TRY(arena_array(b->arena, rows.count, sizeof *b->relations, &mem));
    TRY(arena_array(b->arena, rows.count, sizeof *b->by_oid, &index));
    b->relations = mem;
    b->by_oid = index;
    for (size_t i = 0; i < rows.count; i++) {
        SchemaRelation *r = &b->relations[i];
        Row row;

        TRY(next_row(&rows.rest, &row));
        if (row.count < 6 || row.field[3].len != 1)
            return ERR_MALFORMED;
        TRY(oid_of(row.field[0], &r->oid));
        TRY(arena_copy(b->arena, row.field[1], &r->schema));
        TRY(arena_copy(b->arena, row.field[2], &r->name));
        r->kind = (RelationKind)row.field[3].ptr[0];
        r->reading_runs_code = flag(row.field[4]);
        r->writing_runs_code = flag(row.field[5]);
        b->by_oid[i] = (uint32_t)i;
    }
    b->schema.relations = b->relations;
    b->schema.relation_count = rows.count;
    b->schema.by_oid = b->by_oid;
    return OK;
}

/* Heap sort: no recursion, no comparison function that needs the relations from elsewhere. */
static void sift(const Build *b, size_t at, size_t count)
{
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count &&
            b->relations[b->by_oid[child]].oid < b->relations[b->by_oid[child + 1]].oid)
            child++;
        if (b->relations[b->by_oid[at]].oid >= b->relations[b->by_oid[child]].oid)
            return;
        const uint32_t swap = b->by_oid[at];
        b->by_oid[at] = b->by_oid[child];
        b->by_oid[child] = swap;
        at = child;
    }
}

static void sort_by_oid(Build *b)
{
    const size_t count = b->schema.relation_count;

    for (size_t i = count / 2; i-- > 0;)
        sift(b, i, count);
    for (size_t end = count; end > 1; end--) {
        const uint32_t swap = b->by_oid[0];
        b->by_oid[0] = b->by_oid[end - 1];
        b->by_oid[end - 1] = swap;
        sift(b, 0, end - 1);
    }
}

static SchemaRelation *relation(const Build *b, uint32_t oid)
{
    const SchemaRelation *r = schema_by_oid(&b->schema, oid);

    return r == NULL ? NULL : &b->relations[r - b->relations];
}

/* --- columns, parents, what views read: grouped by relation, in its order --------------------- */

static Err read_column(Build *b, const Row *row, SchemaColumn *ret)
{
    uint64_t attnum;
    const bool no_typmod = text_eq(row->field[4], LIT("-1"));
    uint64_t typmod = 0;

    TRY(number(row->field[1], INT16_MAX, &attnum));
    TRY(oid_of(row->field[3], &ret->type_oid));
    if (!no_typmod)
        TRY(number(row->field[4], INT32_MAX, &typmod));
    ret->attnum = (int16_t)attnum;
    ret->typmod = no_typmod ? -1 : (int32_t)typmod;
    ret->generated = flag(row->field[5]);
    return arena_copy(b->arena, row->field[2], &ret->name);
}

static Err read_columns(Build *b)
{
    Rows rows;
    void *mem;

    TRY(open_rows(&b->rows->rows[CATALOGUE_COLUMNS], &rows));
    TRY(arena_array(b->arena, rows.count, sizeof(SchemaColumn), &mem));
    SchemaColumn *columns = mem;
    for (size_t i = 0; i < rows.count; i++) {
        uint32_t oid;
        Row row;

        TRY(next_row(&rows.rest, &row));
        TRY(oid_of(row.field[0], &oid));
        TRY(read_column(b, &row, &columns[i]));
        SchemaRelation *r = relation(b, oid);
        if (r == NULL)
            continue;
        if (r->column_count == 0)
            r->columns = &columns[i];
        r->column_count++;
    }
    return OK;
}

static Err read_parents(Build *b)
{
    Rows rows;
    void *mem;

    TRY(open_rows(&b->rows->rows[CATALOGUE_PARENTS], &rows));
    TRY(arena_array(b->arena, rows.count, sizeof(uint32_t), &mem));
    uint32_t *parents = mem;
    for (size_t i = 0; i < rows.count; i++) {
        uint32_t oid;
        Row row;

        TRY(next_row(&rows.rest, &row));
        TRY(oid_of(row.field[0], &oid));
        TRY(oid_of(row.field[1], &parents[i]));
        SchemaRelation *r = relation(b, oid);
        if (r == NULL)
            continue;
        if (r->parent_count == 0)
            r->parents = &parents[i];
        r->parent_count++;
    }
    return OK;
}

static Err read_view_reads(Build *b)
{
    Rows rows;
    void *mem;

    TRY(open_rows(&b->rows->rows[CATALOGUE_VIEW_READS], &rows));
    TRY(arena_array(b->arena, rows.count, sizeof(ColumnRef), &mem));
    ColumnRef *reads = mem;
    for (size_t i = 0; i < rows.count; i++) {
        uint32_t oid;
        uint64_t attnum;
        Row row;

        TRY(next_row(&rows.rest, &row));
        TRY(oid_of(row.field[0], &oid));
        TRY(oid_of(row.field[1], &reads[i].oid));
        TRY(number(row.field[2], INT16_MAX, &attnum));
        reads[i].attnum = (int16_t)attnum;
        SchemaRelation *r = relation(b, oid);
        if (r == NULL)
            continue;
        if (r->read_count == 0)
            r->reads = &reads[i];
        r->read_count++;
    }
    return OK;
}

/* A view over something that runs code runs it too; views over views, to the end. */
static void close_over_views(Build *b)
{
    bool changed = true;

    for (int round = 0; changed && round < CLOSURE_ROUNDS; round++) {
        changed = false;
        for (size_t i = 0; i < b->schema.relation_count; i++) {
            SchemaRelation *view = &b->relations[i];

            for (size_t k = 0; k < view->read_count && !view->reading_runs_code; k++) {
                const SchemaRelation *below = relation(b, view->reads[k].oid);

                if (below != NULL && !below->reading_runs_code)
                    continue;
                view->reading_runs_code = true;
                changed = true;
            }
        }
    }
}

/* --- views: which column shows which ------------------------------------------------------------
 */

static ColumnRef origin_of(const ViewColumn *found, size_t count, int16_t attnum)
{
    for (size_t i = 0; i < count; i++)
        if (found[i].attnum == attnum)
            return found[i].origin;
    return (ColumnRef){ 0 };
}

/* What cannot be read is computed, as far as we know: masked if it reads anything masked. */
static Err set_origins(Build *b, SchemaRelation *view, Bytes tree)
{
    void *mem, *room;
    size_t count = 0;

    TRY(arena_array(b->arena, view->column_count, sizeof(SchemaColumn), &mem));
    TRY(arena_array(b->arena, VIEW_TREE_COLUMNS_MAX, sizeof(ViewColumn), &room));
    SchemaColumn *columns = mem;
    ViewColumn *found = room;
    if (view_tree_origins(tree, found, &count) != OK)
        count = 0;
    for (size_t i = 0; i < view->column_count; i++) {
        columns[i] = view->columns[i];
        columns[i].origin = origin_of(found, count, columns[i].attnum);
    }
    view->columns = columns;
    return OK;
}

static Err read_view_trees(Build *b)
{
    Rows rows;

    TRY(open_rows(&b->rows->rows[CATALOGUE_VIEW_TREES], &rows));
    for (size_t i = 0; i < rows.count; i++) {
        uint32_t oid;
        Row row;

        TRY(next_row(&rows.rest, &row));
        TRY(oid_of(row.field[0], &oid));
        SchemaRelation *view = relation(b, oid);
        if (view != NULL)
            TRY(set_origins(b, view, row.field[1]));
    }
    return OK;
}

/* --- names -------------------------------------------------------------------------------------
 */

static Err read_names(const Build *b, CatalogueQuery q, const SchemaName **ret, size_t *ret_count)
{
    Rows rows;
    void *mem;

    TRY(open_rows(&b->rows->rows[q], &rows));
    TRY(arena_array(b->arena, rows.count, sizeof(SchemaName), &mem));
    SchemaName *names = mem;
    for (size_t i = 0; i < rows.count; i++) {
        Row row;

        TRY(next_row(&rows.rest, &row));
        TRY(arena_copy(b->arena, row.field[0], &names[i].schema));
        TRY(arena_copy(b->arena, row.field[1], &names[i].name));
    }
    *ret = names;
    *ret_count = rows.count;
    return OK;
}

static Err read_casts(Build *b)
{
    Rows rows;
    void *mem;

    TRY(open_rows(&b->rows->rows[CATALOGUE_CASTS], &rows));
    TRY(arena_array(b->arena, rows.count, sizeof(Bytes), &mem));
    Bytes *targets = mem;
    for (size_t i = 0; i < rows.count; i++) {
        Row row;

        TRY(next_row(&rows.rest, &row));
        TRY(arena_copy(b->arena, row.field[0], &targets[i]));
        b->schema.implicit_user_cast = b->schema.implicit_user_cast || flag(row.field[1]);
    }
    b->schema.cast_targets = targets;
    b->schema.cast_target_count = rows.count;
    return OK;
}

static Err read_path(const Build *b, Bytes *ret)
{
    Rows rows;
    Row row;

    TRY(open_rows(&b->rows->rows[CATALOGUE_PATH], &rows));
    if (rows.count != 1)
        return ERR_MALFORMED;
    TRY(next_row(&rows.rest, &row));
    return arena_copy(b->arena, row.field[0], ret);
}

Err catalogue_build(CatalogueRows *rows, uint64_t generation, Arena *arena, const Schema **ret,
                    Bytes *ret_path)
{
    Build b = { .arena = arena, .rows = rows, .schema = { .generation = generation } };
    Schema *s = &b.schema;
    void *mem;

    TRY(read_relations(&b));
    sort_by_oid(&b);
    TRY(read_columns(&b));
    TRY(read_parents(&b));
    TRY(read_view_reads(&b));
    close_over_views(&b);
    TRY(read_view_trees(&b));
    TRY(read_names(&b, CATALOGUE_FUNCTIONS, &s->functions, &s->function_count));
    TRY(read_names(&b, CATALOGUE_OPERATORS, &s->operators, &s->operator_count));
    TRY(read_names(&b, CATALOGUE_TYPES, &s->types, &s->type_count));
    TRY(read_names(&b, CATALOGUE_HARMLESS_TYPES, &s->harmless_types, &s->harmless_type_count));
    TRY(read_casts(&b));
    TRY(read_path(&b, ret_path));
    TRY(arena_alloc(arena, sizeof *s, &mem));
    *(Schema *)mem = *s;
    *ret = mem;
    return OK;
}
