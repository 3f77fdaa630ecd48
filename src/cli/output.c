#include "cli/output.h"

#include "base/text.h"
#include "evidence/replay.h"
#include "evidence/screen.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 24, CELL_MAX = 256 << 10 };

typedef struct Column {
    char key[32], title[32];
    size_t width;
} Column;

typedef struct Columns {
    Column at[COLUMNS_MAX];
    size_t count;
} Columns;

static Columns columns_of(const Command *command)
{
    Columns c = { 0 };

    for (const char *at = command->columns; at != NULL && *at != '\0' && c.count < COLUMNS_MAX;) {
        const size_t item = strcspn(at, " "), key = strcspn(at, ": ");
        Column *column = &c.at[c.count++];

        (void)snprintf(column->key, sizeof column->key, "%.*s", (int)key, at);
        if (key < item)
            (void)snprintf(column->title, sizeof column->title, "%.*s", (int)(item - key - 1),
                           at + key + 1);
        else
            for (size_t i = 0; i < key && i < sizeof column->title - 1; i++)
                column->title[i] = (char)toupper((unsigned char)at[i]);
        column->width = strlen(column->title);
        at += item + strspn(at + item, " ");
    }
    return c;
}

/* --- cells -------------------------------------------------------------------------------- */

static bool is_time(const char *key)
{
    const size_t len = strlen(key);

    return len > 3 && strcmp(key + len - 3, "_ns") == 0;
}

static Err put_time(uint64_t ns, Buf *out)
{
    char text[24];

    if (ns == 0)
        return buf_append(out, LIT("-"));
    replay_time(ns, text);
    return buf_append(out, bytes_upto(text_of(text), 19)); /* seconds will do */
}

static Err put_list(const json_t *list, Buf *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        TRY(buf_append(out, i > 0 ? LIT(", ") : LIT("")));
        if (json_is_string(item)) {
            TRY(screen_text(text_of(json_string_value(item)), out));
        } else {
            char *text = json_dumps(item, JSON_COMPACT);
            const Err err = text != NULL ? screen_text(text_of(text), out) : ERR_LIMIT;
            free(text);
            TRY(err);
        }
    }
    return OK;
}

static Err put_cell(const json_t *row, const char *key, Buf *out)
{
    const json_t *value = json_object_get(row, key);

    if (json_is_string(value))
        return screen_text(text_of(json_string_value(value)), out);
    if (json_is_integer(value) && is_time(key))
        return put_time((uint64_t)json_integer_value(value), out);
    if (json_is_integer(value))
        return text_format(out, "%lld", (long long)json_integer_value(value));
    if (json_is_boolean(value))
        return buf_append(out, json_is_true(value) ? LIT("yes") : LIT("no"));
    if (json_is_array(value))
        return put_list(value, out);
    if (!json_is_object(value))
        return OK;
    char *text = json_dumps(value, JSON_COMPACT);
    const Err err = text != NULL ? screen_text(text_of(text), out) : ERR_LIMIT;
    free(text);
    return err;
}

/* --- tables ------------------------------------------------------------------------------- */

static void widen(Columns *columns, const json_t *row)
{
    for (size_t i = 0; i < columns->count; i++) {
        CLEANUP(buf_done) Buf cell = { 0 };

        buf_init(&cell, CELL_MAX);
        if (put_cell(row, columns->at[i].key, &cell) != OK)
            continue;
        const size_t width = screen_width(buf_view(&cell));
        columns->at[i].width = width > columns->at[i].width ? width : columns->at[i].width;
    }
}

static void print_padded(Bytes text, size_t width, bool last)
{
    (void)printf("%.*s", SHOW(text));
    for (size_t n = screen_width(text); !last && n < width + 2; n++)
        (void)putchar(' ');
}

static void print_row(const Columns *columns, const json_t *row)
{
    for (size_t i = 0; i < columns->count; i++) {
        CLEANUP(buf_done) Buf cell = { 0 };

        buf_init(&cell, CELL_MAX);
        if (put_cell(row, columns->at[i].key, &cell) != OK)
            buf_truncate(&cell, 0);
        print_padded(buf_view(&cell), columns->at[i].width, i + 1 == columns->count);
    }
    (void)putchar('\n');
}

static void print_titles(const Columns *columns)
{
    for (size_t i = 0; i < columns->count; i++)
        print_padded(text_of(columns->at[i].title), columns->at[i].width, i + 1 == columns->count);
    (void)putchar('\n');
}

static void print_table(const Command *command, const json_t *rows)
{
    Columns columns = columns_of(command);

    for (size_t i = 0; i < json_array_size(rows); i++)
        widen(&columns, json_array_get(rows, i));
    print_titles(&columns);
    for (size_t i = 0; i < json_array_size(rows); i++)
        print_row(&columns, json_array_get(rows, i));
}

static void print_object(const Command *command, const json_t *o)
{
    const Columns columns = columns_of(command);
    size_t width = 0;

    for (size_t i = 0; i < columns.count; i++)
        width = strlen(columns.at[i].title) > width ? strlen(columns.at[i].title) : width;
    for (size_t i = 0; i < columns.count; i++) {
        CLEANUP(buf_done) Buf cell = { 0 };

        buf_init(&cell, CELL_MAX);
        if (put_cell(o, columns.at[i].key, &cell) == OK)
            (void)printf("%-*s  %.*s\n", (int)width, columns.at[i].title, SHOW(buf_view(&cell)));
    }
}

/* --- CSV, RFC 4180 ------------------------------------------------------------------------ */

static void print_csv_cell(Bytes text)
{
    (void)putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            (void)putchar('"');
        (void)putchar(text.ptr[i]);
    }
    (void)putchar('"');
}

static void print_csv_row(const Columns *columns, const json_t *row)
{
    for (size_t i = 0; i < columns->count; i++) {
        CLEANUP(buf_done) Buf cell = { 0 };

        buf_init(&cell, CELL_MAX);
        if (put_cell(row, columns->at[i].key, &cell) != OK)
            buf_truncate(&cell, 0);
        (void)(i > 0 ? putchar(',') : 0);
        print_csv_cell(buf_view(&cell));
    }
    (void)fputs("\r\n", stdout);
}

static void print_csv(const Command *command, const json_t *rows)
{
    const Columns columns = columns_of(command);

    for (size_t i = 0; i < columns.count; i++) {
        (void)(i > 0 ? putchar(',') : 0);
        print_csv_cell(text_of(columns.at[i].key));
    }
    (void)fputs("\r\n", stdout);
    for (size_t i = 0; i < json_array_size(rows); i++)
        print_csv_row(&columns, json_array_get(rows, i));
}

/* --- answers ------------------------------------------------------------------------------ */

static void print_json(const json_t *value, size_t flags)
{
    (void)json_dumpf(value, stdout, flags | JSON_ENCODE_ANY);
    (void)putchar('\n');
}

static void print_document(const Answer *answer, bool is_list)
{
    json_t *whole = is_list ? json_pack("{s:i, s:O}", "schema_version", 1, "items", answer->parts)
                            : json_pack("{s:i}", "schema_version", 1);

    if (!is_list)
        (void)json_object_update_missing(whole, answer->result);
    print_json(whole, JSON_INDENT(2));
    json_decref(whole);
}

/* A list ends with how many there were. */
static bool is_list(const Answer *answer)
{
    return json_object_get(answer->result, "count") != NULL &&
           json_object_size(answer->result) == 1;
}

static void print_for_people(const Command *command, const Answer *answer)
{
    const json_t *plain =
        command->plain != NULL ? json_object_get(answer->result, command->plain) : NULL;

    if (plain != NULL)
        (void)printf("%s\n", json_string_value(plain));
    else if (is_list(answer))
        print_table(command, answer->parts);
    else if (command->columns != NULL)
        print_object(command, answer->result);
}

void output_row(const Cli *c, const json_t *row)
{
    if (c->format == FORMAT_TABLE)
        print_object(c->command, row);
    else
        print_json(row, JSON_COMPACT);
    (void)fflush(stdout);
}

void output_answer(const Cli *c, const Answer *answer)
{
    json_t *one = json_pack("[O]", answer->result);
    const json_t *rows = is_list(answer) ? answer->parts : one;

    switch (c->format) {
    case FORMAT_TABLE:
        print_for_people(c->command, answer);
        break;
    case FORMAT_JSON:
        print_document(answer, is_list(answer));
        break;
    case FORMAT_JSONL:
        for (size_t i = 0; i < json_array_size(rows); i++)
            print_json(json_array_get(rows, i), JSON_COMPACT);
        break;
    case FORMAT_CSV:
        print_csv(c->command, rows);
        break;
    }
    json_decref(one);
}
