/* A client against a server that behaves like PostgreSQL: what is refused never runs, no value of
 * a masked column reaches the client, whole messages only reach the server (it aborts on others),
 * and after an error nothing more does. First byte: 0, the rest are the client's bytes; else each
 * byte is a step of a talk. */
#include "base/text.h"
#include "pg_kit.h"
#include "proto/pg/pg_frame.h"
#include "toy_sql.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const STEPS[] = {
    "P ,select id",
    "P ,select ssn",
    "P ,hold",
    "P ,insert a",
    "P ,deny",
    "P ,local",
    "P ,fail",
    "P ,failparse",
    "P a,select id,ssn",
    "P a,hold",
    "P a,insert b",
    "P a,rows grow,ssn",
    "P b,fail",
    "P b,execute a",
    "P b,fetch p",
    "P b,local",
    "P b,declare p for rows ssn",
    "P b,prepare a as hold",
    "P b,copen p select ssn",
    "P b,cprep a hold",
    "P b,set search_path x",
    "B ,",
    "B ,a",
    "B ,b",
    "B p,",
    "B p,a",
    "B p,b",
    "b ,a",
    "DS",
    "DS a",
    "DS b",
    "DP",
    "DP p",
    "E",
    "E ,1",
    "E p",
    "E p,1",
    "CS",
    "CS a",
    "CS b",
    "CP",
    "CP p",
    "S",
    "S",
    "S",
    "H",
    "!",
    "!",
    "!",
    "Q select id,ssn",
    "Q rows gone,nul",
    "Q hold",
    "Q deny",
    "Q local",
    "Q localset",
    "Q insert c",
    "Q fail",
    "Q begin",
    "Q commit",
    "Q rollback",
    "Q savepoint s",
    "Q rollbackto s",
    "Q execute a",
    "Q fetch p",
    "Q close p",
    "Q deallocate a",
    "Q discard all",
    "Q prepare a as hold",
    "Q prepare a as select ssn",
    "Q declare p for hold",
    "Q declare p hold for rows ssn",
    "Q copen p rows ssn",
    "Q copen p select ssn,id",
    "Q copen p rows id",
    "Q cprep a hold",
    "Q insert d; deny",
    "Q set search_path x",
    "Q begin; insert e; fail",
    "F",
    "no",
    "X",
};

static void stop_if(bool broken)
{
    if (broken)
        abort();
}

static bool has(const Buf *b, Bytes text)
{
    return text_find(buf_view(b), text) < buf_len(b);
}

static bool ran(const Kit *k, Bytes start)
{
    Bytes rest = buf_view(&k->server.executed);

    while (rest.len > 0) {
        if (text_starts(rest, start))
            return true;
        rest = bytes_from(rest, text_find(rest, LIT("\n")) + 1);
    }
    return false;
}

static Err step(Kit *k, const char *what)
{
    if (text_eq(text_of(what), LIT("no")) && k->gate.wait != GATE_WAITS_PERSON)
        return OK;
    return kit_script(k, what);
}

static Err talk(Kit *k, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        TRY(step(k, STEPS[data[i] % COUNT_OF(STEPS)]));
    return kit_answer(k);
}

static Err speak(Kit *k, const uint8_t *data, size_t size)
{
    const size_t half = size / 2;

    TRY(kit_client(k, (Bytes){ data, half }));
    TRY(kit_answer(k));
    TRY(kit_client(k, (Bytes){ data + half, size - half }));
    return kit_answer(k);
}

static void check_frames(const Buf *b)
{
    Bytes rest = buf_view(b);
    PgFrame frame;

    while (rest.len > 0) {
        stop_if(pg_frame_next(rest, PG_TAGGED, 64 << 20, &frame) != OK);
        rest = bytes_from(rest, frame.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Kit k;

    if (size < 2 || size > 4096)
        return 0;
    kit_init(&k);
    k.piece = data[0] == 2 ? 1 : 0;
    const Err err = data[0] == 0 ? speak(&k, data + 1, size - 1) : talk(&k, data + 1, size - 1);
    check_frames(&k.client);
    check_frames(&k.target);
    stop_if(has(&k.client, LIT(CANARY)) || has(&k.client, LIT("half a value")));
    if (data[0] != 0)
        stop_if(ran(&k, LIT("deny")) || ran(&k, LIT("hold")) || has(&k.target, LIT("local")));
    if (err != OK) {
        const size_t client = buf_len(&k.client), target = buf_len(&k.target);

        stop_if(kit_script(&k, "Q select id|S") != OK);
        stop_if(client != buf_len(&k.client) || target != buf_len(&k.target));
    } else if (data[0] != 0 && k.gate.wait == GATE_RUNS) {
        /* Everything sent was answered: nobody waits for ever. */
        stop_if(kit_script(&k, "S|!") != OK);
        stop_if(k.gate.wait == GATE_RUNS && k.pg.queue.count != 0);
        stop_if(k.gate.wait == GATE_RUNS && k.server.status != k.pg.status);
    }
    kit_done(&k);
    return 0;
}
