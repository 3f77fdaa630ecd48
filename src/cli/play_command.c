/* `session play`: a session from its records. For programs they leave page by page, as they come;
 * for people they are sorted first, so a whole session is held. */
#include "cli/gateway.h"

#include "base/encode.h"
#include "base/text.h"
#include "evidence/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 64 << 20, PAYLOAD_MAX = 64 << 20 };

/* Records come in the journal's order, one writer after another; people want them by time. */
typedef struct Record {
    uint64_t time_ns;
    size_t order;
    const json_t *part; /* of all its parts, the first */
    size_t parts;
} Record;

typedef struct Tape {
    json_t *parts; /* of all pages */
    Record *records;
    size_t count;
} Tape;

static void tape_done(Tape *r)
{
    json_decref(r->parts);
    free(r->records);
}

static void keep_page(Tape *r, json_t *parts)
{
    (void)json_array_extend(r->parts, parts);
}

static void print_page(Tape *r, json_t *parts)
{
    (void)r;
    for (size_t i = 0; i < json_array_size(parts); i++) {
        (void)json_dumpf(json_array_get(parts, i), stdout, JSON_COMPACT);
        (void)putchar('\n');
    }
}

typedef void TakePage(Tape *r, json_t *parts);

static bool read_all(Cli *c, TakePage *take, Tape *r, int *ret_status)
{
    json_t *args = gateway_arguments(c);
    bool more = args != NULL;

    *ret_status = EXIT_USAGE;
    r->parts = json_array();
    while (more) {
        CLEANUP(answer_done) Answer answer = { 0 };

        if (!gateway_call(c, c->command->call, json_incref(args), &answer)) {
            *ret_status = answer.exit_status;
            json_decref(args);
            return false;
        }
        take(r, answer.parts);
        const char *next = json_string_value(json_object_get(answer.result, "next"));
        more = next != NULL && next[0] != '\0';
        if (more)
            (void)json_object_set_new(args, "from", json_string(next));
    }
    json_decref(args);
    return args != NULL;
}

static uint64_t number(const json_t *part, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(part, key));
}

static bool is_last(const json_t *part)
{
    return !json_is_true(json_object_get(part, "more"));
}

static bool index_records(Tape *r)
{
    const size_t parts = json_array_size(r->parts);

    r->records = calloc(parts + 1, sizeof *r->records);
    if (r->records == NULL)
        return false;
    for (size_t i = 0; i < parts; i++) {
        const json_t *part = json_array_get(r->parts, i);
        Record *record = &r->records[r->count];

        if (record->parts++ == 0) {
            record->order = i;
            record->part = part;
            record->time_ns = number(part, "time_ns");
        }
        if (is_last(part))
            r->count++;
    }
    return true;
}

static int by_time(const void *a, const void *b)
{
    const Record *x = a, *y = b;

    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static Err payload_of(const Tape *r, const Record *record, Buf *out)
{
    for (size_t i = 0; i < record->parts; i++) {
        const json_t *part = json_array_get(r->parts, record->order + i);
        const json_t *data = json_object_get(part, "data");

        TRY(base64_decode(text_of(json_string_value(data)), out));
    }
    return OK;
}

static Err show(const Tape *r, const Record *record, Replay *replay)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    CLEANUP(buf_done) Buf shown = { 0 };

    buf_init(&payload, PAYLOAD_MAX);
    buf_init(&shown, SHOWN_MAX);
    TRY(payload_of(r, record, &payload));
    const ReplayRecord entry = {
        .type = text_of(json_string_value(json_object_get(record->part, "type"))),
        .time_ns = record->time_ns,
        .shredded = json_is_true(json_object_get(record->part, "shredded")),
        .payload = buf_view(&payload),
    };
    const Err err = replay_record(replay, &entry, &shown);
    (void)fwrite(buf_view(&shown).ptr, 1, buf_len(&shown), stdout);
    return err;
}

static int play(const Tape *r)
{
    Replay replay;
    Err err = replay_init(&replay);

    for (size_t i = 0; err == OK && i < r->count; i++)
        err = show(r, &r->records[i], &replay);
    replay_done(&replay);
    return err == OK ? EXIT_DONE : cli_say(EXIT_FAILED, "a record of this session cannot be read");
}

int command_session_play(Cli *c)
{
    CLEANUP(tape_done) Tape r = { 0 };
    const bool shown = c->format == FORMAT_TABLE;
    int status;

    if (!read_all(c, shown ? keep_page : print_page, &r, &status))
        return status;
    if (!shown)
        return EXIT_DONE;
    if (!index_records(&r))
        return cli_say(EXIT_FAILED, "out of memory");
    qsort(r.records, r.count, sizeof *r.records, by_time);
    return play(&r);
}
