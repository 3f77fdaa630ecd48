#include "config/load.h"

#include "base/text.h"
#include "config/scalar.h"

#include <string.h>

struct Task {
    Task *next;
    const Node *node; /* NULL: left out, so defaults only */
    const Record *record;
    uint8_t *base;
};

struct Origin {
    Origin *next;
    const void *address;
    Place place;
};

/* The members of every list: { const T *at; size_t count; }. */
typedef struct List {
    const void *at;
    size_t count;
} List;
_Static_assert(sizeof(List) == sizeof(Names) && sizeof(List) == sizeof(Labels) &&
                   offsetof(List, count) == offsetof(Names, count),
               "lists are laid out alike");

/* One value on its way into `base`. */
typedef struct Slot {
    const Record *record;
    const Field *field;
    uint8_t *base;
    Place place;
} Slot;

static void *get_memory(Loader *l, size_t count, size_t size)
{
    void *mem = NULL;
    const Err err = arena_array(l->arena, count, size, &mem);

    if (err != OK && l->err == OK)
        l->err = err;
    return err == OK ? mem : NULL;
}

static void push(Loader *l, const Node *node, const Record *record, uint8_t *base)
{
    Task *t = get_memory(l, 1, sizeof *t);

    if (t == NULL)
        return;
    *t = (Task){ .node = node, .record = record, .base = base };
    if (l->last != NULL)
        l->last->next = t;
    else
        l->first = t;
    l->last = t;
}

static void note(Loader *l, const void *address, Place place)
{
    Origin *o = get_memory(l, 1, sizeof *o);

    if (o == NULL)
        return;
    *o = (Origin){ .next = l->origins, .address = address, .place = place };
    l->origins = o;
}

Place load_place(const Loader *l, const void *address)
{
    for (const Origin *o = l->origins; o != NULL; o = o->next)
        if (o->address == address)
            return o->place;
    return (Place){ 1, 1, 0 };
}

static void put(const Slot *s, const void *value, size_t size)
{
    memcpy(s->base + s->field->offset, value, size);
}

static void complain(Loader *l, const Slot *s, const char *what)
{
    problem_add(l->problems, l->arena, (Problem){ .place = s->place }, "`%s` %s", s->field->key,
                what);
}

static const Choice *find_choice(const Choices *c, Bytes name)
{
    for (size_t i = 0; i < c->count; i++)
        if (text_eq(text_of(c->at[i].name), name))
            return &c->at[i];
    return NULL;
}

static void put_names(const Choices *c, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < c->count; i++) {
        const Bytes name = text_of(c->at[i].name);
        const size_t need = name.len + (len > 0 ? 2 : 0);

        if (c->at[i].later || len + need + 1 > size)
            continue;
        if (len > 0)
            memcpy(ret + len, ", ", 2);
        memcpy(ret + len + need - name.len, name.ptr, name.len);
        len += need;
        ret[len] = '\0';
    }
}

/* NULL: refused, and said why. */
static const Choice *read_choice(Loader *l, const Slot *s, Bytes text)
{
    const Choices *choices = s->field->choices;
    const Choice *c = find_choice(choices, text);
    Nearest near = nearest_to(text);
    char names[256];

    if (c != NULL && !c->later)
        return c;
    if (c != NULL) {
        problem_add(l->problems, l->arena, (Problem){ .place = s->place },
                    "`%s: %.*s` is not available in this version", s->field->key, SHOW(text));
        return NULL;
    }
    for (size_t i = 0; i < choices->count; i++)
        if (!choices->at[i].later)
            nearest_offer(&near, text_of(choices->at[i].name));
    put_names(choices, names, sizeof names);
    if (near.best.len > 0)
        problem_add(l->problems, l->arena, (Problem){ .place = s->place },
                    "`%s` cannot be `%.*s`; did you mean `%.*s`?", s->field->key, SHOW(text),
                    SHOW(near.best));
    else
        problem_add(l->problems, l->arena, (Problem){ .place = s->place },
                    "`%s` cannot be `%.*s`; it is one of: %s", s->field->key, SHOW(text), names);
    return NULL;
}

static void read_number(Loader *l, const Slot *s, Bytes text)
{
    const Field *f = s->field;
    uint64_t value = 0;
    Err err;

    if (f->type == FIELD_DURATION)
        err = scalar_duration(text, &value);
    else if (f->type == FIELD_SIZE)
        err = scalar_size(text, &value);
    else
        err = text_u64(text, UINT64_MAX, &value);
    if (err == ERR_MALFORMED) {
        complain(l, s,
                 f->type == FIELD_DURATION ? "must be a duration with its unit, such as `10m`"
                 : f->type == FIELD_SIZE   ? "must be a size with its unit, such as `64MiB`"
                                           : "must be a whole number");
        return;
    }
    if (err != OK || value < f->min || value > f->max) {
        complain(l, s, value < f->min && err == OK ? "is too small" : "is too large");
        return;
    }
    put(s, &value, sizeof value);
}

static void read_text(Loader *l, const Slot *s, Bytes text)
{
    const char *wrong = text_form_wrong(s->field->form, text);

    if (wrong != NULL)
        complain(l, s, wrong);
    else
        put(s, &text, sizeof text);
}

static void read_address(Loader *l, const Slot *s, Bytes text)
{
    Address address;

    if (scalar_address(text, &address) != OK)
        complain(l, s, "must be `HOST:PORT`");
    else
        put(s, &address, sizeof address);
}

static void read_addresses(Loader *l, const Slot *s, Bytes text)
{
    Address *mem = get_memory(l, ADDRESSES_MAX, sizeof *mem);
    Addresses addresses = { .at = mem };
    bool more = true;

    while (mem != NULL && more) {
        const size_t comma = text_find(text, LIT(","));

        if (addresses.count == ADDRESSES_MAX) {
            complain(l, s, "must not have more than 8 addresses");
            return;
        }
        if (scalar_address(text_trim(bytes_upto(text, comma)), &mem[addresses.count]) != OK) {
            complain(l, s, "must be `HOST:PORT`, or several of them with commas between");
            return;
        }
        addresses.count++;
        more = comma < text.len;
        text = bytes_from(text, more ? comma + 1 : text.len);
    }
    put(s, &addresses, sizeof addresses);
}

static void read_bool(Loader *l, const Slot *s, Bytes text)
{
    bool value;

    if (scalar_bool(text, &value) != OK)
        complain(l, s, "must be `true` or `false`");
    else
        put(s, &value, sizeof value);
}

static void read_one_choice(Loader *l, const Slot *s, Bytes text)
{
    const Choice *c = read_choice(l, s, text);

    if (c != NULL)
        put(s, &c->value, sizeof c->value);
}

static void read_scalar(Loader *l, const Slot *s, Bytes text)
{
    switch (s->field->type) {
    case FIELD_TEXT:
        read_text(l, s, text);
        return;
    case FIELD_BOOL:
        read_bool(l, s, text);
        return;
    case FIELD_COUNT:
    case FIELD_DURATION:
    case FIELD_SIZE:
        read_number(l, s, text);
        return;
    case FIELD_CHOICE:
        read_one_choice(l, s, text);
        return;
    case FIELD_ADDRESS:
        read_address(l, s, text);
        return;
    case FIELD_ADDRESSES:
        read_addresses(l, s, text);
        return;
    case FIELD_FLAGS:
    case FIELD_KINDS:
    case FIELD_TEXTS:
    case FIELD_TABLES:
    case FIELD_COLUMNS:
    case FIELD_LABELS:
    case FIELD_OBJECT:
    case FIELD_OBJECTS:
    case FIELD_LATER:
        break;
    }
    assert(false);
}

static size_t count_children(const Node *node)
{
    size_t count = 0;

    for (const Node *n = node->first; n != NULL; n = n->next)
        count++;
    return count;
}

static size_t element_size(const Field *f)
{
    if (f->type == FIELD_OBJECTS)
        return f->record->size;
    return f->type == FIELD_TEXTS ? sizeof(Bytes) : sizeof(NamePattern);
}

static void read_pattern(Loader *l, const Slot *s, Bytes text, void *ret)
{
    const bool columns = s->field->type == FIELD_COLUMNS;
    NamePattern pattern;

    if (pattern_parse(text, columns, &pattern) != OK)
        complain(l, s,
                 columns ? "must be `table.column` or `schema.table.column`; `*` stands for a "
                           "whole part"
                         : "must be `table` or `schema.table`; `*` stands for a whole part");
    else
        memcpy(ret, &pattern, sizeof pattern);
}

/* One element of a list, into its place in the array. */
static void read_element(Loader *l, Slot *s, const Node *n, uint8_t *ret)
{
    const Field *f = s->field;

    s->place = n->place;
    note(l, ret, n->place);
    if (f->type == FIELD_OBJECTS) {
        if (n->kind == NODE_MAPPING)
            push(l, n, f->record, ret);
        else
            complain(l, s, "must be a list of mappings");
        return;
    }
    if (n->kind != NODE_SCALAR) {
        complain(l, s, "must be a list of plain values");
        return;
    }
    if (f->type != FIELD_TEXTS) {
        read_pattern(l, s, n->text, ret);
        return;
    }
    const char *wrong = text_form_wrong(f->form, n->text);

    if (wrong != NULL)
        complain(l, s, wrong);
    else
        memcpy(ret, &n->text, sizeof n->text);
}

static void read_array(Loader *l, Slot *s, const Node *node)
{
    const size_t size = element_size(s->field);
    List list = { .count = count_children(node) };
    uint8_t *mem = get_memory(l, list.count, size);
    size_t i = 0;

    if (mem == NULL)
        return;
    list.at = mem;
    for (const Node *n = node->first; n != NULL; n = n->next)
        read_element(l, s, n, mem + i++ * size);
    put(s, &list, sizeof list);
}

static void read_bits(Loader *l, Slot *s, const Node *node)
{
    const bool kinds = s->field->type == FIELD_KINDS;
    uint64_t bits = 0;

    for (const Node *n = node->first; n != NULL; n = n->next) {
        s->place = n->place;
        if (n->kind != NODE_SCALAR) {
            complain(l, s, "must be a list of plain values");
            continue;
        }
        const bool all = s->field->choices->all && text_eq(n->text, LIT("*"));

        for (size_t i = 0; all && i < s->field->choices->count; i++)
            bits |= s->field->choices->at[i].value;
        const Choice *c = all ? NULL : read_choice(l, s, n->text);

        if (c != NULL)
            bits |= kinds ? (uint64_t)1 << c->value : c->value;
    }
    const unsigned narrow = (unsigned)bits;

    if (kinds)
        put(s, &bits, sizeof bits);
    else
        put(s, &narrow, sizeof narrow);
}

static void read_list(Loader *l, Slot *s, const Node *node)
{
    if (node->kind != NODE_SEQUENCE) {
        complain(l, s, "must be a list: [ … ]");
        return;
    }
    if (node->first == NULL && s->field->type != FIELD_OBJECTS && !s->field->may_be_empty) {
        complain(l, s, "is an empty list; leave it out or name something");
        return;
    }
    if (s->field->type == FIELD_FLAGS || s->field->type == FIELD_KINDS)
        read_bits(l, s, node);
    else
        read_array(l, s, node);
}

static void read_labels(Loader *l, Slot *s, const Node *node)
{
    Labels labels = { .count = count_children(node) / 2 };
    Label *mem = get_memory(l, labels.count, sizeof *mem);
    size_t i = 0;

    if (mem == NULL)
        return;
    for (const Node *key = node->first; key != NULL && key->next != NULL; key = key->next->next) {
        const Node *value = key->next;

        s->place = value->place;
        note(l, &mem[i], value->place);
        if (value->kind != NODE_SCALAR || value->text.len == 0)
            complain(l, s, "must be a mapping of names to texts");
        mem[i++] = (Label){ key->text, value->text };
    }
    labels.at = mem;
    put(s, &labels, sizeof labels);
}

static bool takes_quotes(FieldType type)
{
    return type == FIELD_TEXT || type == FIELD_CHOICE || type == FIELD_ADDRESS ||
           type == FIELD_ADDRESSES;
}

static void read_value(Loader *l, Slot *s, const Node *node)
{
    const Field *f = s->field;

    if (f->type == FIELD_LATER) {
        problem_add(l->problems, l->arena, (Problem){ .place = s->place },
                    "`%s` is not available in this version", f->key);
        return;
    }
    s->place = node->place;
    note(l, s->base + f->offset, node->place); /* an object's, until its first member has one */
    if (field_is_list(f->type)) {
        read_list(l, s, node);
        return;
    }
    if (f->type == FIELD_OBJECT || f->type == FIELD_LABELS) {
        if (node->kind != NODE_MAPPING)
            complain(l, s, "must be a mapping: { … }");
        else if (f->type == FIELD_LABELS)
            read_labels(l, s, node);
        else
            push(l, node, f->record, s->base + f->offset);
        return;
    }
    if (node->kind != NODE_SCALAR)
        complain(l, s, "must be one value, not a list or mapping");
    else if (node->text.len == 0)
        complain(l, s, "has no value");
    else if (!node->plain && !takes_quotes(f->type))
        complain(l, s, "must be written without quotes");
    else
        read_scalar(l, s, node->text);
}

static const char *path_of(const Record *r)
{
    return r->path[0] != '\0' ? r->path : "the file";
}

static void unknown_key(Loader *l, const Record *r, const Node *key)
{
    Nearest near = nearest_to(key->text);

    for (size_t i = 0; i < r->count; i++)
        if (r->fields[i].type != FIELD_LATER)
            nearest_offer(&near, text_of(r->fields[i].key));
    if (near.best.len > 0)
        problem_add(l->problems, l->arena, (Problem){ .place = key->place },
                    "unknown key `%.*s` in %s; did you mean `%.*s`?", SHOW(key->text), path_of(r),
                    SHOW(near.best));
    else
        problem_add(l->problems, l->arena, (Problem){ .place = key->place },
                    "unknown key `%.*s` in %s", SHOW(key->text), path_of(r));
}

static const Node *value_of(const Node *mapping, const char *key, Place *ret_key)
{
    for (const Node *n = mapping != NULL ? mapping->first : NULL; n != NULL && n->next != NULL;
         n = n->next->next)
        if (text_eq(n->text, text_of(key))) {
            *ret_key = n->place;
            return n->next;
        }
    return NULL;
}

static bool has_field(const Record *r, Bytes key)
{
    for (size_t i = 0; i < r->count; i++)
        if (text_eq(text_of(r->fields[i].key), key))
            return true;
    return false;
}

static void load_left_out(Loader *l, Slot *s, const Task *t)
{
    const Field *f = s->field;

    if (f->required && t->node != NULL) {
        problem_add(l->problems, l->arena, (Problem){ .place = t->node->place },
                    "`%s` is missing in %s", f->key, path_of(t->record));
        return;
    }
    if (f->type == FIELD_OBJECT)
        push(l, NULL, f->record, t->base + f->offset);
    else if (f->standard != NULL)
        read_scalar(l, s, text_of(f->standard));
}

static void load_record(Loader *l, const Task *t)
{
    for (const Node *n = t->node != NULL ? t->node->first : NULL; n != NULL && n->next != NULL;
         n = n->next->next)
        if (!has_field(t->record, n->text))
            unknown_key(l, t->record, n);
    for (size_t i = 0; i < t->record->count; i++) {
        Slot s = { .record = t->record, .field = &t->record->fields[i], .base = t->base };
        const Node *value = value_of(t->node, s.field->key, &s.place);

        if (value != NULL)
            read_value(l, &s, value);
        else
            load_left_out(l, &s, t);
    }
}

Err load_config(Loader *l, const Node *root, Config *ret)
{
    *ret = (Config){ 0 };
    push(l, root, &CONFIG_RECORD, (uint8_t *)ret);
    for (const Task *t = l->first; t != NULL && l->err == OK; t = t->next)
        load_record(l, t);
    return l->err;
}
