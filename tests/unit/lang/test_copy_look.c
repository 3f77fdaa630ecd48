/* COPY: the query that runs in its place, and the form of its rows. */
#include "base/text.h"
#include "look_case.h"
#include "test.h"

static void a_query_runs_in_its_place(void)
{
    static const struct {
        const char *text, *runs;
    } CASES[] = {
        { "copy patient (id, city) to stdout",
          "SELECT \"id\", \"city\" FROM ONLY \"public\".\"patient\"" },
        { "COPY (select id from patient) TO STDOUT csv", "select id from patient" },
        { "copy /* ( */ ( select ')' , (1) -- )\n ) to stdout", " select ')' , (1) -- )\n " },
        { "copy (values (1)) to stdout with (format csv, force_quote *)", "values (1)" },
        { "copy (delete from doctor returning id) to stdout", "delete from doctor returning id" },
        { "copy doctor from stdin", "" },
        { "copy doctor to '/f'", "" },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        LookCase c = look_at(CASES[i].text);

        EXPECT(c.m->understood && c.m->statement_count == 1);
        if (!text_eq(c.m->statements[0].runs, text_of(CASES[i].runs)))
            fprintf(stderr, "%s\n  %.*s\n", CASES[i].text, SHOW(c.m->statements[0].runs));
        EXPECT(text_eq(c.m->statements[0].runs, text_of(CASES[i].runs)));
        look_done(&c);
    }
}

static void forms_are_read(void)
{
    LookCase c = look_at("copy doctor to stdout (format csv, delimiter ';', quote '''', null 'x', "
                         "header on, force_quote (id, name))");
    const CopyForm *f = c.m->statements[0].copy;

    EXPECT(f->format == COPY_CSV && f->delimiter == ';' && f->quote == '\'' && f->escape == '\'');
    EXPECT(f->header && f->quoted_count == 2 && text_eq(f->quoted[1], LIT("name")));
    EXPECT(text_eq(f->null, LIT("x")));
    look_done(&c);
    c = look_at("copy doctor to stdout");
    f = c.m->statements[0].copy;
    EXPECT(f->format == COPY_TEXT && f->delimiter == '\t' && text_eq(f->null, LIT("\\N")));
    look_done(&c);
    c = look_at("copy binary doctor (id) from stdin");
    f = c.m->statements[0].copy;
    EXPECT(f->format == COPY_BINARY && f->type_count == 1 && f->types[0] == 23);
    look_done(&c);
    c = look_at("copy doctor from program 'x'");
    EXPECT(c.m->statements[0].copy == NULL);
    look_done(&c);
}

static void what_the_server_would_not_take(void)
{
    static const char *const TEXTS[] = {
        "copy v_patient to stdout",
        "copy (select id into x from doctor) to stdout",
        "copy (delete from doctor) to stdout",
        "copy doctor to stdout (format xml)",
        "copy doctor to stdout (nonsense 1)",
        "copy doctor to stdout (format csv, format csv)",
        "copy doctor to stdout (encoding 'latin1')",
        "copy doctor to stdout (delimiter 'ab')",
        "copy doctor to stdout (delimiter 'a')",
        "copy doctor to stdout (delimiter E'\\n')",
        "copy doctor to stdout (delimiter ',', null ',')",
        "copy doctor to stdout (null E'\\r')",
        "copy doctor to stdout (quote '''')",
        "copy doctor to stdout (format csv, quote ',')",
        "copy doctor to stdout (format csv, null '\"')",
        "copy doctor to stdout (format csv, freeze)",
        "copy doctor to stdout (format csv, header maybe)",
        "copy doctor to stdout (header match)",
        "copy doctor from stdin (format csv, force_quote *)",
        "copy doctor to stdout (format binary, delimiter ',')",
        "copy doctor to stdout (format binary, header)",
    };

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        LookCase c = look_at(TEXTS[i]);

        if (c.m->understood)
            fprintf(stderr, "%s\n", TEXTS[i]);
        EXPECT(!c.m->understood && c.m->unknown_count == 0);
        look_done(&c);
    }
}

int main(void)
{
    TEST(a_query_runs_in_its_place);
    TEST(forms_are_read);
    TEST(what_the_server_would_not_take);
    return 0;
}
