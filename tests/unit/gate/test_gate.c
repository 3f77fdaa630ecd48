/* The order of judge, record and target, shown with a protocol of one line a command. */
#include "base/text.h"
#include "gate/gate.h"
#include "test.h"

#include <string.h>

/* --- a toy protocol: a command is a line, so is an answer ------------------------------- */

typedef struct Line {
    size_t pending;
    bool busy;    /* the target has not answered all */
    size_t skips; /* bytes at the front that the target would skip: an error came before them */
} Line;

static Err line_client(void *state, Wire *wire, Step *ret_step, Command *ret_command)
{
    Line *line = state;

    buf_consume(&wire->from_client, line->skips);
    line->skips = 0;
    const Bytes in = buf_view(&wire->from_client);
    const size_t at = text_find(in, LIT("\n"));

    *ret_step = STEP_IDLE;
    if (at == in.len)
        return OK;
    line->pending = at + 1;
    *ret_step = text_starts(in, LIT("bye")) ? STEP_END : STEP_COMMAND;
    *ret_command = (Command){ .text = bytes_upto(in, at) };
    return OK;
}

static Err line_settle(void *state, Wire *wire, const Settlement *s)
{
    Line *line = state;
    const Bytes in = bytes_upto(buf_view(&wire->from_client), line->pending);

    if (s->verdict->ruling == RULING_ALLOW)
        TRY(buf_append(&wire->to_server, in));
    else
        TRY(buf_append(&wire->to_client, s->verdict->fault.fact));
    buf_consume(&wire->from_client, line->pending);
    return OK;
}

static Err line_server(void *state, Wire *wire)
{
    (void)state;
    TRY(buf_append(&wire->to_client, buf_view(&wire->from_server)));
    buf_consume(&wire->from_server, buf_len(&wire->from_server));
    return OK;
}

static Err line_quiet(void *state, Wire *wire, bool *ret_quiet)
{
    const Line *line = state;

    (void)wire;
    *ret_quiet = !line->busy;
    return OK;
}

static const Proto LINE = {
    .name = "line",
    .client = line_client,
    .settle = line_settle,
    .server = line_server,
    .quiet = line_quiet,
};

/* --- stand-ins ---------------------------------------------------------------------------- */

typedef struct World {
    Gate gate;
    Line line;
    int commands_written, asked;
    size_t output_written, command_bytes;
    bool disk_full, knows, person_said_yes;
} World;

static Err judge(void *ctx, const Command *command, GateRuling *ret)
{
    World *w = ctx;

    if (text_starts(command->text, LIT("new")) && !w->knows)
        return ERR_MORE;
    if (text_starts(command->text, LIT("drop")))
        ret->verdict = (Verdict){ .ruling = RULING_DENY, .fault = { .fact = LIT("no\n") } };
    else if (text_starts(command->text, LIT("wait")) && !w->person_said_yes)
        ret->verdict.ruling = RULING_HOLD;
    else
        ret->verdict.ruling = RULING_ALLOW;
    return OK;
}

static Err write_command(void *ctx, const Command *command, const GateRuling *ruling)
{
    World *w = ctx;

    if (w->disk_full)
        return ERR_IO;
    if (ruling->verdict.ruling == RULING_ALLOW)
        w->command_bytes += command->text.len + 1;
    /* The law: nothing is on its way to the target that is not written down here. */
    EXPECT(buf_len(&w->gate.wire.to_server) <= w->command_bytes);
    EXPECT(ruling->verdict.ruling != RULING_ALLOW ||
           buf_len(&w->gate.wire.to_server) < w->command_bytes);
    w->commands_written++;
    return OK;
}

static Err write_output(void *ctx, Bytes bytes)
{
    World *w = ctx;

    if (w->disk_full)
        return ERR_IO;
    w->output_written += bytes.len;
    return OK;
}

static Err ask(void *ctx, const Command *command, const GateRuling *ruling)
{
    World *w = ctx;

    (void)command;
    (void)ruling;
    EXPECT(w->commands_written > 0); /* written down before a person hears of it */
    w->asked++;
    return OK;
}

static void open_world(World *w)
{
    *w = (World){ 0 };
    w->gate = (Gate){ .proto = &LINE,
                      .proto_state = &w->line,
                      .ports = { w, judge, NULL, write_command, write_output, ask } };
    buf_init(&w->gate.wire.from_client, 64);
    buf_init(&w->gate.wire.to_server, 64);
    buf_init(&w->gate.wire.from_server, 64);
    buf_init(&w->gate.wire.to_client, 64);
}

static void close_world(World *w)
{
    buf_done(&w->gate.wire.from_client);
    buf_done(&w->gate.wire.to_server);
    buf_done(&w->gate.wire.from_server);
    buf_done(&w->gate.wire.to_client);
}

static void say(World *w, const char *text)
{
    EXPECT(buf_append(&w->gate.wire.from_client, text_of(text)) == OK);
}

static bool holds(const Buf *b, const char *text)
{
    return text_eq(buf_view(b), text_of(text));
}

static void a_denied_command_never_reaches_the_server(void)
{
    World w;

    open_world(&w);
    say(&w, "read\ndrop\nread\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(holds(&w.gate.wire.to_server, "read\nread\n"));
    EXPECT(holds(&w.gate.wire.to_client, "no\n"));
    EXPECT(w.commands_written == 3);
    close_world(&w);
}

static void a_held_command_waits_and_so_does_what_follows(void)
{
    World w;

    open_world(&w);
    say(&w, "wait\nread\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(w.gate.wait == GATE_WAITS_PERSON && w.asked == 1);
    EXPECT(holds(&w.gate.wire.to_server, ""));
    EXPECT(gate_client_spoke(&w.gate) == OK); /* more bytes change nothing */
    EXPECT(holds(&w.gate.wire.to_server, "") && w.asked == 1);
    w.person_said_yes = true;
    EXPECT(gate_resume(&w.gate) == OK);
    EXPECT(holds(&w.gate.wire.to_server, "wait\nread\n"));
    EXPECT(w.commands_written == 3);
    close_world(&w);
}

static void a_held_command_that_is_refused_is_written_down_again(void)
{
    World w;

    open_world(&w);
    say(&w, "wait\nread\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(gate_refuse_held(&w.gate, &(Fault){ .fact = LIT("never\n") }, LIT("d-1")) == OK);
    EXPECT(holds(&w.gate.wire.to_client, "never\n"));
    EXPECT(holds(&w.gate.wire.to_server, "read\n"));
    EXPECT(w.commands_written == 3);
    close_world(&w);
}

static void nobody_is_asked_before_the_target_has_answered(void)
{
    World w;

    open_world(&w);
    w.line.busy = true;
    say(&w, "wait\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(w.gate.wait == GATE_RUNS && w.asked == 0 && w.commands_written == 0);
    w.line.busy = false;
    EXPECT(gate_server_spoke(&w.gate) == OK);
    EXPECT(w.gate.wait == GATE_WAITS_PERSON && w.asked == 1);
    close_world(&w);
}

static void a_refusal_does_not_fall_on_the_next_command(void)
{
    World w;

    open_world(&w);
    say(&w, "new\nread\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(w.gate.wait == GATE_WAITS_CATALOGUE);
    w.line.skips = 4;
    EXPECT(gate_refuse_held(&w.gate, &(Fault){ .fact = LIT("never\n") }, LIT("d-1")) == OK);
    EXPECT(holds(&w.gate.wire.to_client, ""));
    EXPECT(holds(&w.gate.wire.to_server, "read\n"));
    close_world(&w);
}

static void an_unknown_name_parks_until_the_catalogue_was_read(void)
{
    World w;

    open_world(&w);
    say(&w, "new\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(w.gate.wait == GATE_WAITS_CATALOGUE && w.commands_written == 0);
    w.knows = true;
    EXPECT(gate_resume(&w.gate) == OK);
    EXPECT(holds(&w.gate.wire.to_server, "new\n") && w.commands_written == 1);
    close_world(&w);
}

static void no_record_no_traffic(void)
{
    World w;

    open_world(&w);
    w.disk_full = true;
    say(&w, "read\n");
    EXPECT(gate_client_spoke(&w.gate) == ERR_IO);
    EXPECT(holds(&w.gate.wire.to_server, ""));
    EXPECT(buf_append(&w.gate.wire.from_server, LIT("row\n")) == OK);
    w.gate.wire.from_client.start = w.gate.wire.from_client.end;
    EXPECT(gate_server_spoke(&w.gate) == OK);
    EXPECT(gate_write_down_output(&w.gate) == ERR_IO);
    EXPECT(w.gate.written == 0); /* so gate_client_took() lets nothing leave */
    close_world(&w);
}

static void output_is_written_once_and_before_it_leaves(void)
{
    World w;

    open_world(&w);
    EXPECT(buf_append(&w.gate.wire.from_server, LIT("row\n")) == OK);
    EXPECT(gate_server_spoke(&w.gate) == OK);
    EXPECT(gate_write_down_output(&w.gate) == OK && w.output_written == 4);
    EXPECT(gate_write_down_output(&w.gate) == OK && w.output_written == 4);
    gate_client_took(&w.gate, 3);
    EXPECT(buf_append(&w.gate.wire.from_server, LIT("more\n")) == OK);
    EXPECT(gate_server_spoke(&w.gate) == OK);
    EXPECT(gate_write_down_output(&w.gate) == OK && w.output_written == 9);
    gate_client_took(&w.gate, 6);
    EXPECT(buf_len(&w.gate.wire.to_client) == 0 && w.gate.written == 0);
    close_world(&w);
}

static void goodbye_ends_the_road(void)
{
    World w;

    open_world(&w);
    say(&w, "bye\nread\n");
    EXPECT(gate_client_spoke(&w.gate) == OK);
    EXPECT(w.gate.wait == GATE_ENDED && holds(&w.gate.wire.to_server, ""));
    close_world(&w);
}

int main(void)
{
    TEST(a_denied_command_never_reaches_the_server);
    TEST(a_held_command_waits_and_so_does_what_follows);
    TEST(a_held_command_that_is_refused_is_written_down_again);
    TEST(nobody_is_asked_before_the_target_has_answered);
    TEST(a_refusal_does_not_fall_on_the_next_command);
    TEST(an_unknown_name_parks_until_the_catalogue_was_read);
    TEST(no_record_no_traffic);
    TEST(output_is_written_once_and_before_it_leaves);
    TEST(goodbye_ends_the_road);
    return 0;
}
