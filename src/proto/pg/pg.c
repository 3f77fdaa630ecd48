#include "proto/pg/pg.h"

#include "model/limits.h"
#include "proto/pg/pg_write.h"

enum {
    WORDS_MAX = 8192,
    MASKED_ROW_MAX = 4 * LIMIT_ROW, /* a pseudonym is longer than what it stands for */
};

void pg_init(Pg *pg, Arena *arena, const ProtoPorts *ports, SipKey hash_key)
{
    *pg = (Pg){ .status = 'I', .ports = *ports, .phi = true };
    pg_queue_init(&pg->queue, arena, &pg->ports);
    pg_names_init(&pg->names, &pg->queue, hash_key);
    buf_init(&pg->values, LIMIT_BIND_VALUES * sizeof(Value));
    buf_init(&pg->formats, 2 * LIMIT_BIND_VALUES * sizeof(uint16_t));
    buf_init(&pg->words, WORDS_MAX);
    buf_init(&pg->row, MASKED_ROW_MAX);
    buf_init(&pg->given, 2 * LIMIT_CLIENT_MESSAGE);
}

void pg_done(Pg *pg)
{
    if (pg->queue.ports == NULL)
        return; /* never began */
    pg_names_done(&pg->names);
    pg_queue_done(&pg->queue);
    buf_done(&pg->values);
    buf_done(&pg->formats);
    buf_done(&pg->words);
    buf_done(&pg->row);
    buf_done(&pg->given);
    pg_copy_read_done(&pg->copy_read);
}

static void rest(Buf *b)
{
    if (b->cap > 0 && buf_len(b) == 0)
        buf_release(b);
}

void pg_rest(Pg *pg)
{
    if (pg->pending > 0)
        return; /* values are of the message at the front */
    pg_queue_rest(&pg->queue);
    buf_truncate(&pg->values, 0);
    buf_truncate(&pg->formats, 0);
    buf_truncate(&pg->row, 0);
    map_rest(&pg->names.statements);
    map_rest(&pg->names.portals);
    rest(&pg->values);
    rest(&pg->formats);
    rest(&pg->row);
    rest(&pg->given);
    rest(&pg->words);
}

PgMark pg_mark(const Wire *wire)
{
    return (PgMark){ buf_len(&wire->to_server), buf_len(&wire->to_client) };
}

void pg_fail(Pg *pg, Wire *wire, PgMark mark)
{
    pg->phase = PG_ENDED;
    pg->pending = 0;
    buf_truncate(&wire->to_server, mark.to_server);
    buf_truncate(&wire->to_client, mark.to_client);
}

static bool pg_kept(void *state, ReferKind kind, Bytes name, Bytes *ret_text)
{
    const Pg *pg = state;

    if (kind == REFER_PREPARED) {
        const PgStatement *s = pg_statement(&pg->names, name);

        if (s == NULL || s->local)
            return false;
        *ret_text = buf_view(&s->text);
        return true;
    }
    const PgRun *run = pg_portal(&pg->names, name);
    if (kind != REFER_CURSOR || run == NULL || run->local)
        return false;
    *ret_text = pg_run_text(run);
    return ret_text->len > 0;
}

static Err pg_notify(void *state, Wire *wire, const Fault *fault, Bytes id)
{
    (void)state;
    return pg_fault(&wire->to_client, fault, id);
}

static Err pg_farewell(void *state, Wire *wire, const Fault *fault, Bytes id)
{
    Pg *pg = state;

    pg->phase = PG_ENDED;
    return pg_fault(&wire->to_client, fault, id);
}

const Proto PG_PROTO = {
    .name = "postgres",
    .client = pg_client,
    .settle = pg_settle,
    .server = pg_server,
    .kept = pg_kept,
    .stop = pg_stop,
    .quiet = pg_quiet,
    .notify = pg_notify,
    .farewell = pg_farewell,
};
