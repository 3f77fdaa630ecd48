/* Sessions hear of their target's catalogue: read anew, or not to be had. */
#include "worker/target.h"

#include "base/text.h"
#include "model/limits.h"

#include <stdlib.h>

/* Rows that waited for the catalogue are looked at once more. */
static void plan_again(Session *s)
{
    if (!s->ruler.plan_waits)
        return;
    s->ruler.plan_waits = false;
    s->ruler.plan_again = true;
    session_mark(s);
}

static const Fault OTHER_CLUSTER = {
    .code = CHP_5103,
    .fact = LIT_INIT("another cluster than this session's answers at the target's address now"),
};

static void move_session(Target *t, Session *s)
{
    ProfileView *fresh;

    if (s->phase == SESSION_GREETING) {
        greet_known(s);
        return;
    }
    if (s->phase == SESSION_PREPARING) {
        signin_prepared(s);
        session_mark(s);
        return;
    }
    if (s->phase != SESSION_OPEN)
        return;
    if (s->view->knowledge != t->knowledge) {
        if (!text_eq(s->upstream.backend.cluster, t->knowledge->cluster)) {
            session_farewell(s, &OTHER_CLUSTER);
            return;
        }
        if (target_view(t, s->view->profile, &fresh) != OK) {
            session_farewell(s, &(Fault){ .code = CHP_5202 });
            return;
        }
        view_drop(s->view);
        s->view = fresh;
        s->ruler.schema = fresh->knowledge->schema;
        s->ruler.protection = fresh->protection;
    }
    s->ruler.catalogue_stale = false;
    plan_again(s);
    if (s->gate.wait != GATE_WAITS_CATALOGUE || s->parse_job != NULL)
        return;
    s->ruler.read_again = true;
    session_mark(s);
    if (gate_resume(&s->gate) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5401 });
}

void target_tell_sessions(Target *t)
{
    for (Session *s = t->worker->sessions, *next; s != NULL; s = next) {
        next = s->next;
        if (s->target == t)
            move_session(t, s);
    }
    explains_known(t);
}

void target_give_up(Target *t)
{
    for (Session *s = t->worker->sessions; s != NULL; s = s->next) {
        if (s->target != t)
            continue;
        if (s->phase == SESSION_PREPARING || s->phase == SESSION_GREETING)
            session_farewell(s, &(Fault){ .code = CHP_5101 });
        if (s->phase == SESSION_OPEN)
            plan_again(s);
        if (s->phase != SESSION_OPEN || s->gate.wait != GATE_WAITS_CATALOGUE ||
            s->parse_job != NULL)
            continue;
        const Fault fault = { .code = CHP_3103,
                              .fact = LIT("the target's catalogue could not be read in time") };
        session_mark(s);
        if (gate_refuse_held(&s->gate, &fault, (Bytes){ 0 }) != OK)
            session_farewell(s, &fault);
    }
    explains_give_up(t);
    t->wanted = false;
}

void target_drifted(Target *t)
{
    const Fault fault = { .code = CHP_5103, .fact = LIT(PG_NOT_ONE_SESSION) };

    for (Session *s = t->worker->sessions; s != NULL; s = s->next)
        if (s->target == t && s->server_fd >= 0)
            session_farewell(s, &fault);
}

/* --- what it tells of itself ----------------------------------------------------------------- */

void parameters_drop(Parameters *p)
{
    if (p == NULL || --p->refs > 0)
        return;
    buf_done(&p->messages);
    free(p);
}

Parameters *target_parameters(const Target *t)
{
    return t->parameters;
}

/* Sessions share it, and a target tells the same each time: a new one is made for news only. */
Err target_take_parameters(Target *t, Bytes messages)
{
    if (t->parameters != NULL && text_eq(buf_view(&t->parameters->messages), messages))
        return OK;
    Parameters *p = calloc(1, sizeof *p);

    if (p == NULL)
        return ERR_LIMIT;
    p->refs = 1;
    buf_init(&p->messages, LIMIT_STARTUP);
    if (buf_append(&p->messages, messages) != OK) {
        parameters_drop(p);
        return ERR_LIMIT;
    }
    parameters_drop(t->parameters);
    t->parameters = p;
    return OK;
}

/* A standby that was promoted, a default that was changed: sessions hear it from their own. */
Err target_tells(Target *t, Bytes message)
{
    TRY(pg_parameters_put(&t->upstream.parameters, message));
    return target_take_parameters(t, buf_view(&t->upstream.parameters));
}
