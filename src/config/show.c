/* `config show`: a walk over the table of fields and the structs it filled. */
#include "base/json_write.h"
#include "base/text.h"
#include "config/config.h"
#include "config/fields.h"

#include <string.h>

typedef struct List {
    const void *at;
    size_t count;
} List;

static void get(const Field *f, const uint8_t *base, void *ret, size_t size)
{
    memcpy(ret, base + f->offset, size);
}

static void show_choice(Json *j, const char *key, const Choices *choices, unsigned value)
{
    for (size_t i = 0; i < choices->count; i++)
        if (!choices->at[i].later && choices->at[i].value == value) {
            json_write_string(j, key, text_of(choices->at[i].name));
            return;
        }
    json_write_null(j, key);
}

static void show_bits(Json *j, const Field *f, const uint8_t *base)
{
    const bool kinds = f->type == FIELD_KINDS;
    uint64_t bits = 0;
    unsigned narrow = 0;

    if (kinds)
        get(f, base, &bits, sizeof bits);
    else
        get(f, base, &narrow, sizeof narrow);
    bits |= narrow;
    json_write_array(j, f->key);
    for (size_t i = 0; i < f->choices->count; i++) {
        const Choice *c = &f->choices->at[i];
        const uint64_t bit = kinds ? (uint64_t)1 << c->value : c->value;

        if (!c->later && (bits & bit) != 0)
            json_write_string(j, NULL, text_of(c->name));
    }
    json_write_array_end(j);
}

/* Patterns as people write them, in a Buf of their own. */
static void show_pattern(Json *j, const NamePattern *p, bool columns)
{
    const Bytes parts[] = { p->schema, p->table, p->column };
    const size_t count = columns ? 3 : 2;
    Buf text;

    buf_init(&text, 4096);
    for (size_t i = 0; j->err == OK && i < count; i++)
        j->err = text_format(&text, "%s%.*s", i > 0 ? "." : "",
                             SHOW(parts[i].len > 0 ? parts[i] : LIT("*")));
    if (j->err == OK)
        json_write_string(j, NULL, buf_view(&text));
    buf_done(&text);
}

static void show_list(Json *j, const Field *f, const uint8_t *base)
{
    List list;

    get(f, base, &list, sizeof list);
    json_write_array(j, f->key);
    for (size_t i = 0; i < list.count; i++) {
        if (f->type == FIELD_TEXTS)
            json_write_string(j, NULL, ((const Bytes *)list.at)[i]);
        else
            show_pattern(j, &((const NamePattern *)list.at)[i], f->type == FIELD_COLUMNS);
    }
    json_write_array_end(j);
}

static const Label *next_label(const Labels *labels, const Label *after)
{
    const Label *best = NULL;

    for (size_t i = 0; i < labels->count; i++) {
        const Label *x = &labels->at[i];

        if ((after == NULL || text_compare(x->key, after->key) > 0) &&
            (best == NULL || text_compare(x->key, best->key) < 0))
            best = x;
    }
    return best;
}

/* Sorted by key: their order in the file says nothing. */
static void show_labels(Json *j, const Field *f, const uint8_t *base, Arena *keys)
{
    Labels labels;

    get(f, base, &labels, sizeof labels);
    json_write_object(j, f->key);
    for (const Label *x = next_label(&labels, NULL); x != NULL; x = next_label(&labels, x)) {
        const char *key = NULL;

        if (j->err == OK)
            j->err = arena_string(keys, x->key, &key);
        if (j->err != OK)
            return;
        json_write_string(j, key, x->value);
    }
    json_write_object_end(j);
}

static void show_number(Json *j, const Field *f, const uint8_t *base)
{
    uint64_t value;

    get(f, base, &value, sizeof value);
    if (value == 0 && f->min > 0)
        json_write_null(j, f->key); /* left out */
    else
        json_write_u64(j, f->key, value);
}

static void show_scalar(Json *j, const Field *f, const uint8_t *base)
{
    if (f->type == FIELD_TEXT) {
        Bytes text;

        get(f, base, &text, sizeof text);
        if (text.len == 0)
            json_write_null(j, f->key);
        else
            json_write_string(j, f->key, text);
    } else if (f->type == FIELD_BOOL) {
        bool value;

        get(f, base, &value, sizeof value);
        json_write_bool(j, f->key, value);
    } else if (f->type == FIELD_CHOICE) {
        unsigned value;

        get(f, base, &value, sizeof value);
        show_choice(j, f->key, f->choices, value);
    } else {
        show_number(j, f, base);
    }
}

static void show_addresses(Json *j, const Field *f, const Addresses *list)
{
    Buf text;

    buf_init(&text, 4096);
    for (size_t i = 0; i < list->count && j->err == OK; i++) {
        const Address *a = &list->at[i];
        const bool ipv6 = text_find(a->host, LIT(":")) < a->host.len;

        j->err = text_format(&text, ipv6 ? "%s[%.*s]:%u" : "%s%.*s:%u", i > 0 ? "," : "",
                             SHOW(a->host), a->port);
    }
    if (j->err == OK)
        json_write_string(j, f->key, buf_view(&text));
    buf_done(&text);
}

static void show_address(Json *j, const Field *f, const uint8_t *base)
{
    Addresses list;
    Address one;

    if (f->type == FIELD_ADDRESSES) {
        get(f, base, &list, sizeof list);
    } else {
        get(f, base, &one, sizeof one);
        list = (Addresses){ &one, one.port != 0 }; /* none: it is off */
    }
    show_addresses(j, f, &list);
}

static void show_record(Json *j, const Record *r, const uint8_t *base, Arena *keys);

/* Recursion goes as deep as the table of fields, whatever the file. */
static void show_field(Json *j, const Field *f, const uint8_t *base, Arena *keys)
{
    List list;

    switch (f->type) {
    case FIELD_LATER:
        return;
    case FIELD_FLAGS:
    case FIELD_KINDS:
        show_bits(j, f, base);
        return;
    case FIELD_TEXTS:
    case FIELD_TABLES:
    case FIELD_COLUMNS:
        show_list(j, f, base);
        return;
    case FIELD_LABELS:
        show_labels(j, f, base, keys);
        return;
    case FIELD_ADDRESS:
    case FIELD_ADDRESSES:
        show_address(j, f, base);
        return;
    case FIELD_OBJECT:
        json_write_object(j, f->key);
        show_record(j, f->record, base + f->offset, keys);
        json_write_object_end(j);
        return;
    case FIELD_OBJECTS:
        get(f, base, &list, sizeof list);
        json_write_array(j, f->key);
        for (size_t i = 0; i < list.count; i++) {
            json_write_object(j, NULL);
            show_record(j, f->record, (const uint8_t *)list.at + i * f->record->size, keys);
            json_write_object_end(j);
        }
        json_write_array_end(j);
        return;
    case FIELD_TEXT:
    case FIELD_BOOL:
    case FIELD_COUNT:
    case FIELD_DURATION:
    case FIELD_SIZE:
    case FIELD_CHOICE:
        break;
    }
    show_scalar(j, f, base);
}

static void show_record(Json *j, const Record *r, const uint8_t *base, Arena *keys)
{
    for (size_t i = 0; i < r->count; i++)
        show_field(j, &r->fields[i], base, keys);
}

Err config_show(const Config *config, Buf *out)
{
    Arena keys;
    Json j = json_write_begin(out);

    arena_init(&keys, CONFIG_BYTES_MAX * 2);
    json_write_object(&j, NULL);
    show_record(&j, &CONFIG_RECORD, (const uint8_t *)config, &keys);
    json_write_object_end(&j);
    arena_done(&keys);
    return json_write_end(&j);
}
