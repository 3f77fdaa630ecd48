#include "proto/pg/pg_parameters.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_table.h"
#include "proto/pg/pg_write.h"

enum { HEADER = 5, NAME_MAX = 63 };

Err pg_opening(Bytes from_client, PgOpening *ret)
{
    PgFrame frame;
    const Err err = pg_frame_next(from_client, PG_TAGGED, LIMIT_CLIENT_MESSAGE, &frame);

    *ret = OPENING_NOTHING;
    if (from_client.len == 0)
        return OK;
    const PgClientAct act = pg_client_act(PG_TALKING, from_client.ptr[0]);
    if (act == CLIENT_VIOLATION || err == ERR_MALFORMED)
        return ERR_MALFORMED;
    if (from_client.len < HEADER)
        return OK;
    if (act != CLIENT_TERMINATE)
        *ret = OPENING_WORK; /* one that is too long is refused with the others */
    else if (err == OK)
        *ret = OPENING_GOODBYE;
    return err == ERR_LIMIT && act == CLIENT_TERMINATE ? ERR_MALFORMED : OK;
}

/* --- lists ---------------------------------------------------------------------------------- */

typedef struct Parameter {
    Bytes whole, name, value;
} Parameter;

static Err read_one(Bytes in, Parameter *ret)
{
    PgFrame frame;

    if (pg_frame_next(in, PG_TAGGED, LIMIT_STARTUP, &frame) != OK || frame.tag != 'S')
        return ERR_MALFORMED;
    Reader r = reader_of(frame.body);
    ret->whole = frame.whole;
    TRY(reader_string(&r, &ret->name));
    TRY(reader_string(&r, &ret->value));
    return reader_at_end(&r) ? OK : ERR_MALFORMED;
}

/* The last one of a name holds. ERR_MORE: there is none. */
static Err find(Bytes messages, Bytes name, Parameter *ret)
{
    Err found = ERR_MORE;

    while (messages.len > 0) {
        Parameter p;

        TRY(read_one(messages, &p));
        if (text_eq(p.name, name)) {
            *ret = p;
            found = OK;
        }
        messages = bytes_from(messages, p.whole.len);
    }
    return found;
}

Err pg_parameters_put(Buf *messages, Bytes message)
{
    CLEANUP(buf_done) Buf others = { 0 };
    Parameter fresh, p;

    TRY(read_one(message, &fresh));
    if (fresh.whole.len != message.len)
        return ERR_MALFORMED;
    buf_init(&others, messages->max);
    for (Bytes rest = buf_view(messages); rest.len > 0; rest = bytes_from(rest, p.whole.len)) {
        TRY(read_one(rest, &p));
        if (!text_eq(p.name, fresh.name))
            TRY(buf_append(&others, p.whole));
    }
    TRY(buf_append(&others, message));
    buf_truncate(messages, 0);
    return buf_append(messages, buf_view(&others));
}

Err pg_parameters_changed(Bytes told, Bytes now, Buf *out)
{
    Parameter p, before, last;

    for (Bytes rest = now; rest.len > 0; rest = bytes_from(rest, p.whole.len)) {
        TRY(read_one(rest, &p));
        const Err known = find(told, p.name, &before);
        if (known != OK && known != ERR_MORE)
            return known;
        TRY(find(now, p.name, &last));
        if (last.whole.ptr == p.whole.ptr && (known != OK || !text_eq(before.value, p.value)))
            TRY(buf_append(out, p.whole));
    }
    return OK;
}

/* --- what a setting looks like when it is told -------------------------------------------------
 */

/* PostgreSQL takes the last one of a name. NULL: the client set none. */
static const Bytes *wish(const PgStartup *p, const char *name)
{
    const Bytes *found = NULL;

    for (size_t i = 0; i < p->setting_count; i++)
        if (text_eq_nocase(p->settings[i].name, text_of(name)))
            found = &p->settings[i].value;
    return found;
}

static bool starts(Bytes word, const char *with)
{
    const Bytes prefix = text_of(with);

    return word.len >= prefix.len && text_eq_nocase(bytes_upto(word, prefix.len), prefix);
}

typedef struct DateStyle {
    const char *style, *order;
    bool ordered;
} DateStyle;

/* False: no word of DateStyle. */
static bool take_date_word(Bytes word, DateStyle *d)
{
    const bool german = text_eq_nocase(word, LIT("german"));

    if (text_eq_nocase(word, LIT("iso"))) {
        d->style = "ISO";
    } else if (text_eq_nocase(word, LIT("sql"))) {
        d->style = "SQL";
    } else if (starts(word, "postgres")) {
        d->style = "Postgres";
    } else if (german) {
        d->style = "German";
        d->order = d->ordered ? d->order : "DMY";
    } else {
        d->order = text_eq_nocase(word, LIT("ymd"))                           ? "YMD"
                   : text_eq_nocase(word, LIT("dmy")) || starts(word, "euro") ? "DMY"
                   : text_eq_nocase(word, LIT("mdy")) || text_eq_nocase(word, LIT("us")) ||
                           starts(word, "noneuro")
                       ? "MDY"
                       : NULL;
        d->ordered = true;
    }
    return d->order != NULL;
}

static bool take_date_words(Bytes words, DateStyle *d)
{
    while (words.len > 0) {
        const size_t comma = text_find(words, LIT(","));

        if (!take_date_word(text_trim(bytes_upto(words, comma)), d))
            return false;
        words = bytes_from(words, comma < words.len ? comma + 1 : words.len);
    }
    return true;
}

/* A style without an order keeps the server's, and the other way round. */
static Err put_date_style(Bytes known, Bytes wanted, Buf *out)
{
    DateStyle d = { .style = "", .order = "" };

    if (!take_date_words(known, &d))
        return pg_parameter(out, LIT("DateStyle"), known);
    d.ordered = false;
    CLEANUP(buf_done) Buf value = { 0 };
    buf_init(&value, 64);
    if (!take_date_words(wanted, &d))
        return pg_parameter(out, LIT("DateStyle"), known); /* it will be refused */
    TRY(text_format(&value, "%s, %s", d.style, d.order));
    return pg_parameter(out, LIT("DateStyle"), buf_view(&value));
}

static Err put_interval_style(Bytes known, Bytes wanted, Buf *out)
{
    static const char *STYLES[] = { "postgres", "postgres_verbose", "sql_standard", "iso_8601" };

    for (size_t i = 0; i < COUNT_OF(STYLES); i++)
        if (text_eq_nocase(wanted, text_of(STYLES[i])))
            known = text_of(STYLES[i]);
    return pg_parameter(out, LIT("IntervalStyle"), known);
}

/* NAMEDATALEN, and `?` for all but printable ASCII. */
static Err put_application(Bytes name, Buf *out)
{
    CLEANUP(buf_done) Buf clean = { 0 };

    buf_init(&clean, NAME_MAX + 1);
    name = utf8_upto(name, NAME_MAX);
    for (size_t i = 0; i < name.len; i++)
        TRY(buf_byte(&clean, name.ptr[i] < ' ' || name.ptr[i] > '~' ? '?' : name.ptr[i]));
    return pg_parameter(out, LIT("application_name"), buf_view(&clean));
}

Err pg_parameters_foretell(Bytes messages, const PgStartup *startup, Bytes application, Buf *out)
{
    const Bytes *date = wish(startup, "DateStyle"), *zone = wish(startup, "TimeZone"),
                *interval = wish(startup, "IntervalStyle");
    Parameter p;

    for (; messages.len > 0; messages = bytes_from(messages, p.whole.len)) {
        TRY(read_one(messages, &p));
        if (text_eq(p.name, LIT("application_name")))
            TRY(put_application(application, out));
        else if (text_eq(p.name, LIT("DateStyle")) && date != NULL)
            TRY(put_date_style(p.value, *date, out));
        else if (text_eq(p.name, LIT("IntervalStyle")) && interval != NULL)
            TRY(put_interval_style(p.value, *interval, out));
        else if (text_eq(p.name, LIT("TimeZone")) && zone != NULL)
            TRY(pg_parameter(out, p.name, *zone));
        else
            TRY(buf_append(out, p.whole));
    }
    return OK;
}
