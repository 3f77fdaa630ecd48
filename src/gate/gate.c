#include "gate/gate.h"

/* Write down, then act. Were the two swapped, a crash between them would erase the very
 * command that caused it. */
static Err act(Gate *g, const Command *command, const GateRuling *ruling)
{
    const Settlement settlement = {
        .verdict = &ruling->verdict,
        .decision = ruling->decision,
        .judged = ruling->judged,
        .local = ruling->local,
    };

    TRY(g->ports.write_command(g->ports.ctx, command, ruling));
    if (ruling->verdict.ruling == RULING_HOLD) {
        g->wait = GATE_WAITS_PERSON;
        return g->ports.ask(g->ports.ctx, command, ruling);
    }
    return g->proto->settle(g->proto_state, &g->wire, &settlement);
}

/* Some commands can only be ruled on when the target has answered everything before them. A held
 * one too: an error among those answers would take it away from under the person who is asked. */
static Err may_act(Gate *g, const GateRuling *ruling, bool *ret_may)
{
    const bool held = ruling->verdict.ruling == RULING_HOLD;

    *ret_may = true;
    return ruling->needs_quiet || held ? g->proto->quiet(g->proto_state, &g->wire, ret_may) : OK;
}

/* False in *ret_moved: the command stays at the front, to be viewed again. */
static Err rule_on(Gate *g, const Command *command, bool *ret_moved)
{
    GateRuling ruling = { 0 };
    Err err = g->ports.judge(g->ports.ctx, command, &ruling);

    *ret_moved = false;

    if (err == ERR_MORE) {
        g->wait = GATE_WAITS_CATALOGUE;
        return OK;
    }
    if (err == OK)
        err = may_act(g, &ruling, ret_moved);
    if (err == OK && *ret_moved)
        err = act(g, command, &ruling);
    if (ruling.judged != NULL)
        g->ports.drop(g->ports.ctx, ruling.judged);
    return err;
}

Err gate_client_spoke(Gate *g)
{
    bool moved = true;

    while (g->wait == GATE_RUNS && moved) {
        Step step;
        Command command;

        TRY(g->proto->client(g->proto_state, &g->wire, &step, &command));
        switch (step) {
        case STEP_IDLE:
            return OK;
        case STEP_END:
            g->wait = GATE_ENDED;
            break;
        case STEP_COMMAND:
            TRY(rule_on(g, &command, &moved));
            break;
        }
    }
    return OK;
}

/* The answers free what the client's next messages may have been waiting for. */
Err gate_server_spoke(Gate *g)
{
    TRY(g->proto->server(g->proto_state, &g->wire));
    return gate_client_spoke(g);
}

Err gate_resume(Gate *g)
{
    assert(g->wait == GATE_WAITS_CATALOGUE || g->wait == GATE_WAITS_PERSON);
    g->wait = GATE_RUNS;
    return gate_client_spoke(g);
}

Err gate_refuse_held(Gate *g, const Fault *fault, Bytes decision)
{
    Step step;
    Command command;
    const GateRuling no = {
        .verdict = { .ruling = RULING_DENY, .rule = fault->rule, .fault = *fault },
        .decision = decision,
    };

    assert(g->wait == GATE_WAITS_PERSON || g->wait == GATE_WAITS_CATALOGUE);
    g->wait = GATE_RUNS;
    /* It never left its buffer: here it is again. Unless the target failed in something before it
     * meanwhile, and it was skipped; what is at the front then is to be ruled on by itself. */
    const size_t before = buf_len(&g->wire.from_client);
    TRY(g->proto->client(g->proto_state, &g->wire, &step, &command));
    if (buf_len(&g->wire.from_client) == before) {
        if (step != STEP_COMMAND)
            return ERR_MALFORMED;
        TRY(act(g, &command, &no));
    }
    return gate_client_spoke(g);
}

Err gate_write_down_output(Gate *g)
{
    const Bytes out = buf_view(&g->wire.to_client);

    if (out.len == g->written)
        return OK;
    TRY(g->ports.write_output(g->ports.ctx, bytes_from(out, g->written)));
    g->written = out.len;
    return OK;
}

Err gate_stop(Gate *g, const Fault *fault, Bytes decision, bool *ret_stopped)
{
    return g->proto->stop(g->proto_state, &g->wire, fault, decision, ret_stopped);
}

void gate_client_took(Gate *g, size_t len)
{
    assert(len <= g->written);
    buf_consume(&g->wire.to_client, len);
    g->written -= len;
}
