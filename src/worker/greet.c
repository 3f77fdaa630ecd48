/* A session without a connection to its target: from the client's sign-in to its first statement.
 * Pools keep many such; all they cost is here.
 *
 *     signed in ──▶ GREETING ──▶ WAITING ──(any message but Terminate)──▶ PREPARING, connect.c
 *
 * The client is told what the catalogue's connection was told. What it sends stays in its buffer,
 * at most what client_wants() reads, and is judged once the connection is there. */
#include "worker/edition.h"

#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_write.h"
#include "sys/entropy.h"

#include <string.h>

enum { KNOWN_MS = 10000, APPLICATION_MAX = 63 };

Err greet_application(const Session *s, Buf *out)
{
    CLEANUP(buf_done) Buf name = { 0 };

    buf_init(&name, 1024);
    TRY(text_format(&name, "chaperone/%s/%.*s", id_text('s', &s->id).text, SHOW(s->who.name)));
    return buf_append(out, utf8_upto(buf_view(&name), APPLICATION_MAX));
}

static Err foretell(const Session *s, Buf *out)
{
    CLEANUP(buf_done) Buf name = { 0 };

    buf_init(&name, 128);
    TRY(greet_application(s, &name));
    return pg_parameters_foretell(buf_view(&s->told->messages), &s->signin.startup, buf_view(&name),
                                  out);
}

/* Our own process id and key: the top bits say which worker knows the session. */
static void choose_cancel_key(Session *s)
{
    uint32_t random;

    random_fill(&random, sizeof random);
    random_fill(s->cancel_key, sizeof s->cancel_key);
    s->cancel_key_bytes =
        s->signin.startup.minor == PG_MINOR_2 ? PG_CANCEL_KEY_3_2 : PG_CANCEL_KEY_3_0;
    s->cancel_pid = s->worker->slot << CANCEL_SLOT_SHIFT | (random & 0xFFFFFF);
}

static Err greet(Session *s)
{
    Buf *out = &s->gate.wire.to_client;
    size_t mark;

    choose_cancel_key(s);
    TRY(foretell(s, out));
    TRY(pg_parameter(out, LIT("chaperone.session"), text_of(id_text('s', &s->id).text)));
    TRY(pg_open(out, 'K', &mark));
    TRY(buf_u32(out, s->cancel_pid));
    TRY(buf_append(out, bytes_upto(VIEW(s->cancel_key), s->cancel_key_bytes)));
    pg_close(out, mark);
    return pg_ready(out, 'I');
}

void greet_known(Session *s)
{
    if (s->phase != SESSION_GREETING || target_parameters(s->target) == NULL)
        return;
    s->told = target_parameters(s->target);
    s->told->refs++;
    s->phase = SESSION_WAITING;
    s->deadline_ms = 0;
    session_mark(s);
    if (greet(s) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5301 });
}

/* Where nobody has been yet, the catalogue's connection goes first. */
void greet_begin(Session *s)
{
    s->phase = SESSION_GREETING;
    s->deadline_ms = now_ms(s->worker) + KNOWN_MS;
    if (target_parameters(s->target) == NULL)
        target_refresh(s->target);
    else
        greet_known(s);
}

void greet_step(Session *s)
{
    PgOpening opening;

    if (pg_opening(buf_view(&s->gate.wire.from_client), &opening) != OK) {
        session_farewell(s, &(Fault){ .code = CHP_5401 });
        return;
    }
    switch (opening) {
    case OPENING_NOTHING:
        break;
    case OPENING_GOODBYE:
        session_end(s, "client said goodbye");
        break;
    case OPENING_WORK:
        signin_prepare(s); /* a keeper that is gone is asked when there is a new one */
        break;
    }
}

Err greet_correct(Session *s, Bytes parameters, Buf *out)
{
    CLEANUP(buf_done) Buf told = { 0 };

    buf_init(&told, 2 * LIMIT_STARTUP);
    TRY(foretell(s, &told));
    parameters_drop(s->told);
    s->told = NULL;
    return pg_parameters_changed(buf_view(&told), parameters, out);
}
