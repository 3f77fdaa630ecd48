/* `explain`: what the gateway would say to a statement, for people. */
#include "cli/output.h"

#include "base/text.h"
#include "evidence/screen.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 1 << 20, MARGIN = 2 };

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text != NULL ? text : "";
}

static void print_screened(Bytes text, Buf *shown)
{
    buf_truncate(shown, 0);
    if (screen_text(text, shown) == OK)
        (void)printf("%.*s", SHOW(buf_view(shown)));
}

static void print_member(const json_t *o, const char *key, const char *before)
{
    CLEANUP(buf_done) Buf shown = { 0 };
    const Bytes text = text_of(member(o, key));

    if (text.len == 0)
        return;
    buf_init(&shown, SHOWN_MAX);
    (void)printf("%s", before);
    print_screened(text, &shown);
}

/* --- verdict ------------------------------------------------------------------------------ */

static void print_verdict(const json_t *o)
{
    const char *verdict = member(o, "verdict");
    const bool allowed = strcmp(verdict, "allow") == 0, held = strcmp(verdict, "hold") == 0;

    (void)printf("%s", allowed ? "ALLOWED" : held ? "HELD FOR APPROVAL" : "REFUSED");
    print_member(o, "code", "  ");
    if (!allowed)
        print_member(o, "rule", "  rule ");
    (void)printf("\n");
    print_member(o, "identity", "for ");
    print_member(o, "role", " as ");
    print_member(o, "resource", " on ");
    (void)printf("\n");
    if (allowed)
        return;
    print_member(o, "message", "\n");
    print_member(o, "detail", "\n");
    (void)printf("\n");
}

/* --- the text, with a caret --------------------------------------------------------------- */

/* Byte offset of a 1-based character; len: not in it. */
static size_t offset_of(Bytes text, uint64_t position)
{
    uint64_t character = 0;

    for (size_t i = 0; i < text.len; i++) {
        character += (text.ptr[i] & 0xC0) != 0x80;
        if (character == position)
            return i;
    }
    return text.len;
}

static void print_line(Bytes line, size_t caret, Buf *shown)
{
    (void)printf("%*s", MARGIN, "");
    print_screened(line, shown);
    (void)printf("\n");
    if (caret > line.len)
        return;
    buf_truncate(shown, 0);
    if (screen_text(bytes_upto(line, caret), shown) == OK)
        (void)printf("%*s^\n", (int)(MARGIN + screen_width(buf_view(shown))), "");
}

static void print_text(const char *sql, uint64_t position)
{
    CLEANUP(buf_done) Buf shown = { 0 };
    const Bytes text = text_of(sql);
    const size_t caret = position > 0 ? offset_of(text, position) : SIZE_MAX;
    size_t at = 0;

    buf_init(&shown, SHOWN_MAX);
    (void)printf("\n");
    for (Bytes rest = text; rest.len > 0;) {
        const size_t len = text_find(rest, LIT("\n"));
        const bool here = caret >= at && caret <= at + len;

        print_line(bytes_upto(rest, len), here ? caret - at : SIZE_MAX, &shown);
        at += len + 1;
        rest = len < rest.len ? bytes_from(rest, len + 1) : (Bytes){ 0 };
    }
}

/* --- columns, approval, order ------------------------------------------------------------- */

static size_t widest(const json_t *rows, const char *key)
{
    CLEANUP(buf_done) Buf shown = { 0 };
    size_t width = 0;

    buf_init(&shown, SHOWN_MAX);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        buf_truncate(&shown, 0);
        if (screen_text(text_of(member(json_array_get(rows, i), key)), &shown) == OK &&
            screen_width(buf_view(&shown)) > width)
            width = screen_width(buf_view(&shown));
    }
    return width;
}

static void print_cell(const char *text, size_t width, Buf *shown)
{
    print_screened(text_of(text), shown);
    for (size_t n = screen_width(buf_view(shown)); n < width + 2; n++)
        (void)putchar(' ');
}

static void print_outputs(const json_t *outputs)
{
    CLEANUP(buf_done) Buf shown = { 0 };
    const size_t name = widest(outputs, "name"), from = widest(outputs, "from");

    if (json_array_size(outputs) == 0)
        return;
    buf_init(&shown, SHOWN_MAX);
    (void)printf("\nHow each column leaves:\n");
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const json_t *o = json_array_get(outputs, i);

        (void)printf("%*s", MARGIN, "");
        print_cell(member(o, "name"), name, &shown);
        print_cell(member(o, "from"), from, &shown);
        print_screened(text_of(member(o, "leaves")), &shown);
        (void)printf("%s\n",
                     json_is_true(json_object_get(o, "unclassified")) ? " (unclassified)" : "");
    }
}

static void print_approval(const json_t *approval)
{
    const long long count = json_integer_value(json_object_get(approval, "count"));
    const long long valid = json_integer_value(json_object_get(approval, "valid_ms"));

    if (!json_is_object(approval))
        return;
    (void)printf("\nApproval: %lld %s", count, count == 1 ? "person" : "people");
    print_member(approval, "group", " of ");
    if (valid > 0)
        (void)printf("; a yes is good for %lld min", (valid + 59999) / 60000);
    (void)printf("\n");
}

static void print_order(const json_t *order)
{
    static const char *const MARKS[][2] = { { "passed", "✓" },
                                            { "refused", "✗" },
                                            { "holds", "‖" } };

    (void)printf("\nOrder of evaluation:\n");
    for (size_t i = 0; i < json_array_size(order); i++) {
        const json_t *o = json_array_get(order, i);
        const char *mark = "·";

        for (size_t k = 0; k < COUNT_OF(MARKS); k++)
            if (strcmp(MARKS[k][0], member(o, "outcome")) == 0)
                mark = MARKS[k][1];
        (void)printf("%*s%s %-12s%s\n", MARGIN, "", mark, member(o, "step"), member(o, "outcome"));
    }
}

static void print_explanation(const Cli *c, const json_t *o)
{
    const long long omitted = json_integer_value(json_object_get(o, "omitted"));

    print_verdict(o);
    print_text(cli_option(c, "sql"), (uint64_t)json_integer_value(json_object_get(o, "position")));
    print_outputs(json_object_get(o, "outputs"));
    if (omitted > 0)
        (void)printf("%*s… and %lld more that are not listed\n", MARGIN, "", omitted);
    print_approval(json_object_get(o, "approval"));
    print_order(json_object_get(o, "order"));
}

static int exit_of(const json_t *o)
{
    const char *verdict = member(o, "verdict");

    if (strcmp(verdict, "allow") == 0)
        return EXIT_DONE;
    return strcmp(verdict, "hold") == 0 ? EXIT_PENDING : EXIT_REFUSED;
}

int command_explain(Cli *c)
{
    CLEANUP(answer_done) Answer answer = { 0 };

    if (cli_option(c, "sql") == NULL)
        return cli_say(EXIT_USAGE, "usage: chaperone explain %s", c->command->arguments);
    json_t *args = gateway_arguments(c);
    if (args == NULL)
        return EXIT_USAGE;
    if (!gateway_call(c, c->command->call, args, &answer))
        return answer.exit_status;
    if (c->format == FORMAT_TABLE)
        print_explanation(c, answer.result);
    else
        output_answer(c, &answer);
    return exit_of(answer.result);
}
