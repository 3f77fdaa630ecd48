#include "proto/pg/pg_copy_in.h"

#include "base/reader.h"
#include "proto/pg/pg_write.h"

enum { GIVEN_SOFT = 64 << 10 };

const Fault PG_COPY_MASK = {
    .code = CHP_3112,
    .fact = LIT_INIT("the data of COPY holds a mask, not a real value; nothing of it is stored"),
    .next = LIT_INIT("leave the column out, or give its real value"),
};
const Fault PG_COPY_UNREADABLE = {
    .code = CHP_3103,
    .fact = LIT_INIT("the data of COPY is not in the binary format; nothing of it is stored"),
};
const Fault PG_COPY_TOO_LONG = {
    .code = CHP_3103,
    .fact = LIT_INIT("the data of COPY holds a value over 16 MiB; nothing of it is stored"),
};
const Fault PG_COPY_DISAGREES = {
    .code = CHP_3103,
    .fact = LIT_INIT("the target's table is not what the gateway knows of it; nothing is stored"),
    .next = LIT_INIT("try again in a few seconds"),
};

void pg_copy_sent(Pg *pg, const PgRun *run)
{
    if (run->takes != NULL && pg->phase == PG_TALKING)
        pg->phase = PG_COPY_STARTING;
}

bool pg_copy_is_open(const Pg *pg, const PgAwaited *e)
{
    const bool copies = pg->phase == PG_COPY_STARTING || pg->phase == PG_COPYING;

    /* Nothing is sent behind it, so it is the last. */
    return copies && e->run != NULL && e->run->takes != NULL &&
           e == pg_queue_at(&pg->queue, pg->queue.count - 1);
}

static Err check_response(const CopyForm *form, Bytes body, bool *ret_agrees)
{
    Reader r = reader_of(body);
    uint8_t overall;
    uint16_t count;
    Bytes formats;

    TRY(reader_u8(&r, &overall));
    TRY(reader_u16(&r, &count));
    TRY(reader_bytes(&r, (size_t)count * sizeof(uint16_t), &formats));
    if (!reader_at_end(&r) || overall != (form->format == COPY_BINARY))
        return ERR_MALFORMED;
    *ret_agrees = count == form->type_count;
    return OK;
}

Err pg_copy_begins(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    bool agrees;

    if (e->run == NULL || e->run->takes == NULL || e->stand_in)
        return ERR_MALFORMED;
    TRY(check_response(e->run->takes, frame->body, &agrees));
    if (pg->withheld != WITHHELD_NOTHING)
        return OK; /* the message that must fail is on its way, and fails this too */
    if (pg->phase != PG_COPY_STARTING || !pg_copy_is_open(pg, e))
        return ERR_MALFORMED;
    pg->phase = PG_COPYING;
    pg_copy_read_init(&pg->copy_read, e->run->takes);
    return agrees ? buf_append(&wire->to_client, frame->whole)
                  : pg_copy_refuse(pg, wire, &PG_COPY_DISAGREES, (Bytes){ 0 });
}

Err pg_copy_refuse(Pg *pg, Wire *wire, const Fault *fault, Bytes id)
{
    PgAwaited *e = pg_queue_at(&pg->queue, pg->queue.count - 1);

    e->stand_in = true;
    pg->phase = e->expect == EXPECT_EXECUTE ? PG_SKIPPING : PG_TALKING;
    pg_copy_read_done(&pg->copy_read);
    TRY(pg_message(&wire->to_server, 'f', LIT("chaperone refused\0")));
    return pg_fault(&e->reply, fault, id);
}

/* NULL: all of it may go on. */
static const Fault *look_at(Pg *pg, Bytes data)
{
    Value value;
    Err err;

    while ((err = pg_copy_read_next(&pg->copy_read, &data, &value)) == OK)
        if (pg->ports.is_mask(pg->ports.ctx, &value))
            return &PG_COPY_MASK;
    return err == ERR_MORE ? NULL : err == ERR_MALFORMED ? &PG_COPY_UNREADABLE : &PG_COPY_TOO_LONG;
}

Err pg_copy_write_down(Pg *pg)
{
    if (buf_len(&pg->given) == 0)
        return OK;
    TRY(pg->ports.given(pg->ports.ctx, buf_view(&pg->given)));
    buf_release(&pg->given);
    return OK;
}

Err pg_copy_data(Pg *pg, Wire *wire, const PgFrame *frame)
{
    if (buf_len(&pg->given) > GIVEN_SOFT)
        TRY(pg_copy_write_down(pg));
    TRY(buf_append(&pg->given, frame->body));
    const Fault *why = look_at(pg, frame->body);
    if (why == NULL)
        return pg_forward(wire, frame->size);
    buf_consume(&wire->from_client, frame->size);
    return pg_copy_refuse(pg, wire, why, (Bytes){ 0 });
}

static Err copy_done(Pg *pg, Wire *wire, const PgFrame *frame)
{
    Value last;

    if (frame->body.len != 0)
        return ERR_MALFORMED;
    if (pg_copy_read_end(&pg->copy_read, &last) && pg->ports.is_mask(pg->ports.ctx, &last)) {
        buf_consume(&wire->from_client, frame->size);
        return pg_copy_refuse(pg, wire, &PG_COPY_MASK, (Bytes){ 0 });
    }
    pg->phase = PG_TALKING;
    return pg_forward(wire, frame->size);
}

Err pg_copy_ends(Pg *pg, Wire *wire, const PgFrame *frame)
{
    const PgAwaited *e = pg_queue_at(&pg->queue, pg->queue.count - 1);
    Reader r = reader_of(frame->body);
    Bytes why;

    if (frame->tag == 'c')
        TRY(copy_done(pg, wire, frame));
    else {
        TRY(reader_string(&r, &why));
        if (!reader_at_end(&r))
            return ERR_MALFORMED;
        pg->phase = e->expect == EXPECT_EXECUTE ? PG_SKIPPING : PG_TALKING;
        TRY(pg_forward(wire, frame->size));
    }
    pg_copy_read_done(&pg->copy_read);
    return OK;
}
