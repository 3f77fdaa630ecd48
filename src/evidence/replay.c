#include "evidence/replay.h"

#include "base/text.h"
#include "evidence/screen.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

enum { CHUNK_RAW = 0, CHUNK_ZSTD = 1, CHUNK_MAX = 64 << 20 };

Err replay_init(Replay *r)
{
    *r = (Replay){ .times = true };
    return pg_screen_init(&r->screen);
}

void replay_done(Replay *r)
{
    pg_screen_done(&r->screen);
}

void replay_time(uint64_t unix_ns, char ret[24])
{
    const time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm parts;
    char day[20];

    ret[0] = '\0';
    if (gmtime_r(&seconds, &parts) != NULL &&
        strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &parts) > 0)
        (void)snprintf(ret, 24, "%s.%03u", day, (unsigned)(unix_ns / 1000000 % 1000));
}

/* --- words -------------------------------------------------------------------------------- */

static Bytes member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value)
               ? (Bytes){ (const uint8_t *)json_string_value(value), json_string_length(value) }
               : (Bytes){ 0 };
}

static Err put_member(const json_t *o, const char *before, const char *key, Buf *out)
{
    const Bytes value = member(o, key);

    if (value.len == 0)
        return OK;
    TRY(buf_append(out, text_of(before)));
    return screen_text(value, out);
}

static Err show_start(const json_t *o, Buf *out)
{
    TRY(put_member(o, "session of ", "user", out));
    TRY(put_member(o, " on ", "resource", out));
    TRY(put_member(o, " as role ", "role", out));
    TRY(put_member(o, ", from ", "peer", out));
    TRY(put_member(o, ", application ", "application", out));
    TRY(put_member(o, ", purpose ", "purpose", out));
    return buf_byte(out, '\n');
}

static Err show_values(const json_t *o, Buf *out)
{
    const json_t *values = json_object_get(o, "values");

    if (json_array_size(values) == 0)
        return OK;
    char *text = json_dumps(values, JSON_COMPACT);
    Err err = text == NULL ? ERR_LIMIT : buf_append(out, LIT("\n  values: "));
    if (err == OK)
        err = screen_text(text_of(text), out);
    free(text);
    return err;
}

static Err show_command(const json_t *o, Buf *out)
{
    TRY(screen_lines(member(o, "text"), out));
    TRY(show_values(o, out));
    TRY(put_member(o, "\n  ", "verdict", out));
    TRY(put_member(o, " by ", "rule", out));
    TRY(put_member(o, ": ", "fact", out));
    return buf_byte(out, '\n');
}

static Err show_request(const json_t *o, Buf *out)
{
    TRY(put_member(o, "approval asked of ", "group", out));
    TRY(put_member(o, " (", "request", out));
    return buf_append(out, LIT(")\n"));
}

static Err show_answer(const json_t *o, Buf *out)
{
    TRY(put_member(o, "approval ", "request", out));
    TRY(put_member(o, " ", "outcome", out));
    TRY(put_member(o, " by ", "who", out));
    TRY(put_member(o, ": ", "reason", out));
    return buf_byte(out, '\n');
}

static Err show_end(const json_t *o, Buf *out)
{
    TRY(buf_append(out, LIT("session ended")));
    TRY(put_member(o, ": ", "reason", out));
    return buf_byte(out, '\n');
}

static Err show_recovery(const json_t *o, Buf *out)
{
    TRY(put_member(o, "recovery: ", "what", out));
    return buf_byte(out, '\n');
}

static const struct {
    const char *type;
    Err (*show)(const json_t *o, Buf *out);
} SHOWN[] = {
    { "session.start", show_start },    { "command", show_command },
    { "verdict", show_command },        { "approval.request", show_request },
    { "approval.answer", show_answer }, { "session.end", show_end },
    { "recovery", show_recovery },
};

/* --- what the client saw ------------------------------------------------------------------ */

static Err unzip(Bytes packed, Buf *out)
{
    const unsigned long long size = ZSTD_getFrameContentSize(packed.ptr, packed.len);
    uint8_t *room;
    size_t room_bytes;

    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > CHUNK_MAX)
        return ERR_MALFORMED;
    TRY(buf_room(out, (size_t)size + 1, &room, &room_bytes));
    const size_t n = ZSTD_decompress(room, room_bytes, packed.ptr, packed.len);
    if (ZSTD_isError(n))
        return ERR_MALFORMED;
    buf_filled(out, n);
    return OK;
}

/* `room` owns what had to be unzipped. */
static Err open_chunk(Bytes payload, Buf *room, Bytes *ret)
{
    *ret = bytes_from(payload, 1);
    if (payload.ptr[0] == CHUNK_RAW)
        return OK;
    if (payload.ptr[0] != CHUNK_ZSTD)
        return ERR_MALFORMED;
    buf_init(room, CHUNK_MAX + 1024);
    TRY(unzip(*ret, room));
    *ret = buf_view(room);
    return OK;
}

static Err show_chunk(Replay *r, Bytes payload, Buf *out)
{
    CLEANUP(buf_done) Buf plain = { 0 };
    Bytes body;

    if (payload.len == 0)
        return OK;
    TRY(open_chunk(payload, &plain, &body));
    return pg_screen_feed(&r->screen, body, out);
}

/* What the client sent, behind COPY FROM. */
static Err show_data(Bytes payload, Buf *out)
{
    CLEANUP(buf_done) Buf plain = { 0 };
    Bytes body;

    if (payload.len == 0)
        return OK;
    TRY(open_chunk(payload, &plain, &body));
    TRY(text_format(out, "data of the client, %zu bytes:\n", body.len));
    TRY(screen_lines(body, out));
    return body.ptr[body.len - 1] == '\n' ? OK : buf_byte(out, '\n');
}

/* --- records ------------------------------------------------------------------------------ */

static Err put_head(const Replay *r, const ReplayRecord *record, Buf *out)
{
    char when[24];

    if (!r->times)
        return OK;
    replay_time(record->time_ns, when);
    return text_format(out, "\n[%s] ", when);
}

static Err show_words(const Replay *r, const ReplayRecord *record, Buf *out)
{
    for (size_t i = 0; i < COUNT_OF(SHOWN); i++) {
        if (!text_eq(record->type, text_of(SHOWN[i].type)))
            continue;
        json_t *o = json_loadb((const char *)record->payload.ptr, record->payload.len, 0, NULL);
        Err err = put_head(r, record, out);
        if (err == OK)
            err = SHOWN[i].show(o, out);
        json_decref(o);
        return err;
    }
    return OK;
}

Err replay_record(Replay *r, const ReplayRecord *record, Buf *out)
{
    if (record->shredded)
        return buf_append(out, LIT("(shredded: the key of this record was destroyed)\n"));
    if (text_eq(record->type, LIT("response.chunk")))
        return show_chunk(r, record->payload, out);
    if (text_eq(record->type, LIT("command.data"))) {
        TRY(put_head(r, record, out));
        return show_data(record->payload, out);
    }
    if (text_eq(record->type, LIT("response.end")))
        return pg_screen_flush(&r->screen, out);
    return show_words(r, record, out);
}
