#include "config/yaml_tree.h"

#include "base/text.h"

#include <yaml.h>

enum { DEPTH_MAX = 12, NODES_MAX = 100000, KEYS_MAX = 500 };

typedef struct Reading {
    Arena *arena;
    Problems *problems;
    Node *root;
    Node *open[DEPTH_MAX];
    Node *last[DEPTH_MAX]; /* newest child of each open node */
    size_t children[DEPTH_MAX];
    size_t depth, nodes, documents;
    bool stopped, complete;
} Reading;

static Place place_of(yaml_mark_t start, yaml_mark_t end)
{
    const size_t width = end.line == start.line ? end.column - start.column : 1;

    return (Place){ (uint32_t)start.line + 1, (uint32_t)start.column + 1, (uint32_t)width };
}

static void complain(Reading *r, Place place, const char *text)
{
    problem_add(r->problems, r->arena, (Problem){ .place = place }, "%s", text);
}

/* Complains once and reads no further. */
static void stop(Reading *r, Place place, const char *text)
{
    complain(r, place, text);
    r->stopped = true;
}

static void refuse_extras(Reading *r, Place place, const yaml_char_t *anchor,
                          const yaml_char_t *tag)
{
    if (anchor != NULL)
        complain(r, place, "anchors and aliases are not allowed; write the value where it is used");
    if (tag != NULL)
        complain(r, place, "tags are not allowed; the field's own type decides");
}

static bool is_key_place(const Reading *r)
{
    if (r->depth == 0 || r->open[r->depth - 1]->kind != NODE_MAPPING)
        return false;
    return r->children[r->depth - 1] % 2 == 0;
}

static void attach(Reading *r, Node *node)
{
    if (r->depth == 0) {
        r->root = node;
        return;
    }
    Node **last = &r->last[r->depth - 1];

    if (*last == NULL)
        r->open[r->depth - 1]->first = node;
    else
        (*last)->next = node;
    *last = node;
    r->children[r->depth - 1]++;
}

static Err add_node(Reading *r, NodeKind kind, Place place, Node **ret)
{
    void *mem;

    if (++r->nodes > NODES_MAX) {
        stop(r, place, "too many values for one file");
        return OK;
    }
    TRY(arena_alloc(r->arena, sizeof(Node), &mem));
    *ret = mem;
    **ret = (Node){ .kind = kind, .place = place };
    attach(r, *ret);
    return OK;
}

static void open_node(Reading *r, Node *node)
{
    if (r->depth == DEPTH_MAX) {
        stop(r, node->place, "nested too deeply");
        return;
    }
    r->open[r->depth] = node;
    r->last[r->depth] = NULL;
    r->children[r->depth] = 0;
    r->depth++;
}

static void check_key(Reading *r, const Node *key)
{
    const Node *mapping = r->open[r->depth - 1];

    if (r->children[r->depth - 1] > 2 * KEYS_MAX) {
        stop(r, key->place, "too many keys in one mapping");
        return;
    }
    if (text_eq(key->text, LIT("<<")) && key->plain) {
        complain(r, key->place, "merge keys are not allowed; write the values where they are used");
        return;
    }
    for (const Node *n = mapping->first; n != key; n = n->next->next)
        if (text_eq(n->text, key->text)) {
            problem_add(r->problems, r->arena, (Problem){ .place = key->place },
                        "duplicate key `%.*s`; the first one is on line %u", SHOW(key->text),
                        n->place.line);
            return;
        }
}

static Err on_scalar(Reading *r, const yaml_event_t *e)
{
    const Place place = place_of(e->start_mark, e->end_mark);
    const bool key = is_key_place(r);
    const Bytes text = { e->data.scalar.value, e->data.scalar.length };
    Node *node = NULL;

    refuse_extras(r, place, e->data.scalar.anchor, e->data.scalar.tag);
    TRY(add_node(r, NODE_SCALAR, place, &node));
    if (node == NULL)
        return OK;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    TRY(arena_copy(r->arena, text, &node->text));
    if (key)
        check_key(r, node);
    return OK;
}

static Err on_collection(Reading *r, const yaml_event_t *e, NodeKind kind)
{
    Place place = place_of(e->start_mark, e->end_mark);
    const bool mapping = kind == NODE_MAPPING;
    Node *node = NULL;

    refuse_extras(r, place, mapping ? e->data.mapping_start.anchor : e->data.sequence_start.anchor,
                  mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag);
    if (is_key_place(r)) {
        stop(r, place, "a key must be plain text");
        return OK;
    }
    place.width = 0;
    TRY(add_node(r, kind, place, &node));
    if (node != NULL)
        open_node(r, node);
    return OK;
}

static void on_document(Reading *r, const yaml_event_t *e)
{
    const Place place = place_of(e->start_mark, e->end_mark);

    if (++r->documents > 1) {
        stop(r, place, "one document only");
        return;
    }
    if (e->data.document_start.version_directive != NULL ||
        e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
        complain(r, place, "directives are not allowed");
}

static Err on_event(Reading *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        on_document(r, e);
        return OK;
    case YAML_ALIAS_EVENT:
        stop(r, place_of(e->start_mark, e->end_mark),
             "anchors and aliases are not allowed; write the value where it is used");
        return OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_collection(r, e, NODE_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return on_collection(r, e, NODE_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return OK;
    case YAML_STREAM_END_EVENT:
        r->stopped = true;
        r->complete = true;
        return OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return OK;
}

/* libyaml also says where the thing began that went wrong: "while parsing a flow sequence". */
static void on_syntax_error(Reading *r, const yaml_parser_t *parser)
{
    const yaml_mark_t mark = parser->problem_mark;
    const Place place = { (uint32_t)mark.line + 1, (uint32_t)mark.column + 1, 0 };
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";

    if (parser->context != NULL)
        problem_add(r->problems, r->arena, (Problem){ .place = place },
                    "not YAML: %s (%s that began on line %zu)", problem, parser->context,
                    parser->context_mark.line + 1);
    else
        problem_add(r->problems, r->arena, (Problem){ .place = place }, "not YAML: %s", problem);
    r->stopped = true;
}

static Err read_events(Reading *r, yaml_parser_t *parser)
{
    Err err = OK;

    while (!r->stopped && err == OK) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event)) {
            if (parser->error == YAML_MEMORY_ERROR)
                return ERR_LIMIT;
            on_syntax_error(r, parser);
            return OK;
        }
        err = on_event(r, &event);
        yaml_event_delete(&event);
    }
    return err;
}

/* libyaml breaks lines at more characters than an editor does; then no place would be right. */
static bool is_odd_line_break(Bytes at)
{
    if (at.ptr[0] == '\r')
        return at.len == 1 || at.ptr[1] != '\n';
    return text_starts(at, LIT("\xC2\x85")) || text_starts(at, LIT("\xE2\x80\xA8")) ||
           text_starts(at, LIT("\xE2\x80\xA9"));
}

/* Why libyaml is not even asked; NULL: it is. */
static const char *unreadable(Bytes yaml, Place *ret)
{
    uint32_t line = 1;

    while (yaml.len > 0) {
        const size_t end = text_find(yaml, LIT("\n"));
        const Bytes text = bytes_upto(yaml, end < yaml.len ? end + 1 : end);
        uint32_t column = 1;

        *ret = (Place){ line, 1, 0 };
        if (!utf8_valid(text))
            return "the line is not valid UTF-8";
        for (size_t i = 0; i < text.len; i++) {
            *ret = (Place){ line, column, 0 };
            if (is_odd_line_break(bytes_from(text, i)))
                return "lines must end in a line feed";
            column += (text.ptr[i] & 0xC0) != 0x80;
        }
        yaml = bytes_from(yaml, text.len);
        line++;
    }
    return NULL;
}

Err yaml_read(Bytes yaml, Arena *arena, Problems *problems, Node **ret)
{
    Reading r = { .arena = arena, .problems = problems };
    yaml_parser_t parser;
    Place place;

    *ret = NULL;
    const char *why_not = unreadable(yaml, &place);

    if (why_not != NULL) {
        complain(&r, place, why_not);
        return OK;
    }
    if (!yaml_parser_initialize(&parser))
        return ERR_LIMIT;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    const Bytes input = yaml.len > 0 ? yaml : LIT(""); /* libyaml does not take NULL */
    yaml_parser_set_input_string(&parser, input.ptr, input.len);
    const Err err = read_events(&r, &parser);

    yaml_parser_delete(&parser);
    if (err == OK && r.complete)
        *ret = r.root;
    return err;
}
