/* `config diff`: what would change if a file were loaded. */
#include "cli/config_diff.h"
#include "cli/output.h"

#include "base/encode.h"
#include "base/text.h"
#include "config/edition.h"
#include "evidence/screen.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_MAX = 4 << 20 };

/* --- both sides ------------------------------------------------------------------------------- */

static Err load(Bytes yaml, const char *path, Side *ret)
{
    CLEANUP(buf_done) Buf words = { 0 };
    Problems problems = { 0 };

    arena_init(&ret->arena, CONFIG_ARENA_BYTES);
    buf_init(&words, DOCUMENT_MAX);
    const Err err = config_load(yaml, &ret->arena, &ret->config, &problems);
    if (problems_print(&problems, yaml, path, &words) == OK)
        (void)fprintf(stderr, "%.*s", SHOW(buf_view(&words)));
    return err == OK ? side_show(ret) : err;
}

static int load_file(const char *path, Side *ret)
{
    CLEANUP(buf_done) Buf yaml = { 0 };

    buf_init(&yaml, CONFIG_BYTES_MAX);
    if (file_read_all(path, &yaml) != OK)
        return cli_say(EXIT_USAGE, "cannot read %s: %s", path, strerror(errno));
    return load(buf_view(&yaml), path, ret) == OK ? EXIT_DONE : EXIT_USAGE;
}

/* What came over the socket is what the record has the hash of, or it is not compared with. */
static bool is_as_recorded(const Side *side, const json_t *result)
{
    CLEANUP(buf_done) Buf hex = { 0 };
    const char *told = json_string_value(json_object_get(result, "policy_hash"));

    buf_init(&hex, 128);
    return told != NULL && hex_encode(VIEW(side->hash.bytes), &hex) == OK &&
           text_eq(buf_view(&hex), text_of(told));
}

static int load_running(Cli *c, Side *ret)
{
    CLEANUP(answer_done) Answer answer = { 0 };
    CLEANUP(buf_done) Buf yaml = { 0 };

    if (!gateway_call(c, "config.running", json_object(), &answer))
        return answer.exit_status;
    buf_init(&yaml, CONFIG_BYTES_MAX);
    for (size_t i = 0; i < json_array_size(answer.parts); i++) {
        const json_t *piece = json_object_get(json_array_get(answer.parts, i), "yaml");

        if (buf_append(&yaml, (Bytes){ (const uint8_t *)json_string_value(piece),
                                       json_string_length(piece) }) != OK)
            return cli_say(EXIT_FAILED, "out of memory");
    }
    if (load(buf_view(&yaml), "in force", ret) != OK || !is_as_recorded(ret, answer.result))
        return cli_say(EXIT_FAILED, "the gateway runs another version, and means something else by "
                                    "its configuration; ask with the command of that version");
    return EXIT_DONE;
}

static int rows_of(Cli *c, const char *call, json_t *args, json_t *out)
{
    CLEANUP(answer_done) Answer answer = { 0 };

    if (!gateway_call(c, call, args, &answer))
        return answer.exit_status;
    (void)json_array_extend(out, answer.parts);
    return EXIT_DONE;
}

/* --- the document ----------------------------------------------------------------------------- */

static json_t *needs_restart(const Sides *s)
{
    const char *fields[RESTART_FIELDS_MAX];
    const size_t count = edition_restart_fields(&s->old->config, &s->new->config, fields);
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(out, json_string(fields[i]));
    return out;
}

static int make_document(Cli *c, const Sides *s, json_t **ret)
{
    json_t *users = json_array(), *sessions = json_array();
    int status = rows_of(c, "user.ls", json_object(), users);

    if (status == EXIT_DONE)
        status = rows_of(c, "agent.ls", json_object(), users);
    if (status == EXIT_DONE)
        status = rows_of(c, "session.ls", json_pack("{s:s}", "state", "live"), sessions);
    if (status == EXIT_DONE)
        *ret = json_pack("{s:i, s:b, s:o, s:o, s:o, s:o}", "schema_version", 1, "same",
                         hash_eq(&s->old->hash, &s->new->hash), "settings", diff_settings(s),
                         "needs_restart", needs_restart(s), "people", diff_people(s, users),
                         "sessions", diff_sessions(s, users, sessions));
    json_decref(users);
    json_decref(sessions);
    return status;
}

/* --- for people ------------------------------------------------------------------------------- */

static void print_text(const char *text)
{
    CLEANUP(buf_done) Buf shown = { 0 };

    buf_init(&shown, DOCUMENT_MAX);
    if (text != NULL && screen_text(text_of(text), &shown) == OK)
        (void)printf("%.*s", SHOW(buf_view(&shown)));
}

static void print_member(const json_t *row, const char *key)
{
    print_text(json_string_value(json_object_get(row, key)));
}

static void print_value(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    print_text(text);
    free(text);
}

static void print_setting(const json_t *row)
{
    const json_t *old = json_object_get(row, "old"), *new = json_object_get(row, "new");

    (void)printf("%s ", old == NULL ? "+" : new == NULL ? "-" : "~");
    print_member(row, "path");
    (void)printf(": ");
    print_value(old != NULL ? old : new);
    if (old != NULL && new != NULL) {
        (void)printf(" → ");
        print_value(new);
    }
    (void)printf("\n");
}

static void print_person(const json_t *row)
{
    const json_t *effects = json_object_get(row, "effects");

    print_member(row, "identity");
    (void)printf(" on ");
    print_member(row, "resource");
    for (size_t i = 0; i < json_array_size(effects); i++) {
        (void)printf("%s", i > 0 ? "; " : ": ");
        print_text(json_string_value(json_array_get(effects, i)));
    }
    (void)printf("\n");
}

static void print_session(const json_t *row)
{
    static const char *const BEFORE[] = { "", " of ", " on ", ": ", ": " };
    static const char *const KEYS[] = { "id", "user", "resource", "outcome", "why" };

    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        (void)printf("%s", BEFORE[i]);
        print_member(row, KEYS[i]);
    }
    (void)printf("\n");
}

static void print_restart(const json_t *field)
{
    print_text(json_string_value(field));
    (void)printf(": only a start can change it; a reload refuses the whole file\n");
}

static void print_part(const json_t *document, const char *key, void (*print)(const json_t *row))
{
    const json_t *rows = json_object_get(document, key);

    if (json_array_size(rows) > 0)
        (void)printf("\n%s\n", key);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        (void)printf("  ");
        print(json_array_get(rows, i));
    }
}

static void print_document(const Cli *c, const json_t *document)
{
    if (c->format != FORMAT_TABLE) {
        (void)json_dumpf(document, stdout,
                         c->format == FORMAT_JSON ? JSON_INDENT(2) : JSON_COMPACT);
        (void)printf("\n");
        return;
    }
    if (json_is_true(json_object_get(document, "same"))) {
        (void)printf("no difference\n");
        return;
    }
    (void)printf("not loaded yet; `chaperone reload` would change:\n");
    print_part(document, "settings", print_setting);
    print_part(document, "needs_restart", print_restart);
    print_part(document, "people", print_person);
    print_part(document, "sessions", print_session);
}

int command_config_diff(Cli *c)
{
    CLEANUP(side_done) Side running = { 0 }, file = { 0 };
    const Sides sides = { &running, &file };
    json_t *document = NULL;

    if (c->word_count > 1)
        return cli_say(EXIT_USAGE, "usage: chaperone %s %s", c->command->name,
                       c->command->arguments);
    int status = load_file(c->word_count > 0 ? c->words[0] : c->config_path, &file);
    if (status == EXIT_DONE)
        status = load_running(c, &running);
    if (status == EXIT_DONE)
        status = make_document(c, &sides, &document);
    if (status != EXIT_DONE)
        return status;
    print_document(c, document);
    const bool same = json_is_true(json_object_get(document, "same"));
    json_decref(document);
    return same ? EXIT_DONE : EXIT_FAILED;
}
