/* What the gate and the protocol ask of the worker: records, masks, people. */
#include "worker/edition.h"

#include "base/text.h"
#include "lang/sql/sql_look.h"
#include "model/limits.h"
#include "record/payload.h"

enum { PROTOCOL_POSTGRES = 1, PAYLOAD_KEPT = 256 << 10 };

/* Leaves of a session share its commitments, its policy and the turn's clock. */
Err ports_write_record(Session *s, SegmentRecord *record)
{
    const Worker *w = s->worker;

    record->chain = &s->chain;
    record->leaf.time_unix_ns = w->now.unix_ns;
    record->leaf.mono_ns = w->now.mono_ns;
    record->leaf.actor_commit = s->actor_commit;
    record->leaf.target_commit = s->target_commit;
    record->leaf.protocol = PROTOCOL_POSTGRES;
    record->leaf.policy_hash = w->edition->policy_hash;
    const uint64_t before = w->recorder.writer.length;
    TRY(recorder_append(&s->worker->recorder, record));
    budget_wrote(s, w->recorder.writer.length - before);
    tally_bytes(s, w->recorder.writer.length - before);
    return OK;
}

/* Payloads are made one at a time, in one buffer; what the last one held is overwritten or, when
 * it was large, given back. */
static Buf *payload_room(Session *s)
{
    Buf *payload = &s->worker->payload;

    if (payload->cap > PAYLOAD_KEPT)
        buf_release(payload);
    buf_truncate(payload, 0);
    return payload;
}

static bool takes_effect(unsigned effects)
{
    return (effects & ~(unsigned)EFFECT_READ) != 0;
}

static Err write_command(void *ctx, const Command *command, const GateRuling *ruling)
{
    Session *s = ctx;
    Buf *payload = payload_room(s);
    const Meaning *m = ruling->judged != NULL ? ruling->judged->meaning : NULL;
    const unsigned effects = m != NULL ? m->effects : 0;
    const bool inner = m != NULL && !text_eq(ruling->judged->text, command->text);
    const CommandNote note = {
        .command = command,
        .verdict = &ruling->verdict,
        .decision = ruling->decision,
        .effects = effects,
        .request = hash_is_zero(&s->approval_leaf) ? (Bytes){ 0 } : text_of(s->held_request.text),
        .inner = inner ? ruling->judged->text : (Bytes){ 0 },
    };
    SegmentRecord record = { .leaf = { .type = LEAF_COMMAND,
                                       .effects = (uint16_t)effects,
                                       .ruling = (uint8_t)ruling->verdict.ruling,
                                       .approval_leaf = s->approval_leaf },
                             .key = &s->audit };

    TRY(payload_command(&note, payload));
    record.payload = buf_view(payload);
    TRY(ports_write_record(s, &record));
    if (ruling->verdict.ruling != RULING_ALLOW || takes_effect(effects))
        s->durable = true;
    s->ruler.read_again = false;
    ruler_forget_parsed(&s->ruler);
    s->ruler.approved = false;
    s->approval_leaf = (Hash){ 0 };
    s->cancelled = false;
    s->statements++;
    tally_command(s, ruling->verdict.ruling);
    return OK;
}

/* Receipts wait for the output that they belong to, and then share one record with its end. */
static Err write_receipts(Session *s, Bytes chunk)
{
    SegmentRecord record = { .leaf = { .type = LEAF_RESPONSE_END },
                             .key = &s->audit,
                             .seen_key = &s->content,
                             .seen = chunk };

    TRY(payload_receipts_end(&s->receipts));
    record.payload = buf_view(&s->receipts);
    const Err err = ports_write_record(s, &record);
    buf_truncate(&s->receipts, 0);
    return err;
}

static Err write_chunk(Session *s, Bytes chunk)
{
    SegmentRecord record = { .leaf = { .type = LEAF_RESPONSE_CHUNK },
                             .key = &s->content,
                             .content = true,
                             .payload = chunk };

    return ports_write_record(s, &record);
}

static Err write_output(void *ctx, Bytes seen)
{
    Session *s = ctx;

    if (s->receipt_lost)
        return ERR_LIMIT;
    while (seen.len > 0) {
        Buf *payload = payload_room(s);
        const size_t len = seen.len < LIMIT_RECORD ? seen.len : LIMIT_RECORD;

        TRY(payload_chunk(bytes_upto(seen, len), payload));
        seen = bytes_from(seen, len);
        TRY(seen.len == 0 && buf_len(&s->receipts) > 0 ? write_receipts(s, buf_view(payload))
                                                       : write_chunk(s, buf_view(payload)));
    }
    return OK;
}

Err ports_write_rest(Session *s)
{
    return buf_len(&s->receipts) > 0 ? write_receipts(s, (Bytes){ 0 }) : OK;
}

/* A receipt that cannot be kept leaves its output without one: the session ends instead. */
static void write_receipt(void *ctx, const Receipt *receipt)
{
    Session *s = ctx;

    tally_receipt(s, receipt);
    if (buf_len(&s->receipts) > LIMIT_RECORD / 2 && ports_write_rest(s) != OK)
        s->receipt_lost = true;
    else if (payload_receipt(receipt, &s->receipts) != OK)
        s->receipt_lost = true;
}

static Err ask(void *ctx, const Command *command, const GateRuling *ruling)
{
    return hold_ask(ctx, command, ruling);
}

/* While it waited for the connection that it was the first to need. */
static const Fault CANCELLED = { .code = CHP_3205,
                                 .fact = LIT_INIT("cancelled by the caller before it ran") };

static Err judge(void *ctx, const Command *command, GateRuling *ret)
{
    Session *s = ctx;

    if (s->keys_due > 0)
        return ERR_MORE; /* new rules brought new pseudonyms: their keys come first */
    s->ruler.refusal = s->cancelled ? &CANCELLED : budget_refusal(s);
    return ruler_judge(&s->ruler, command, ret);
}

static Err plan(void *ctx, const RowSource *source, const WireColumn *columns, size_t count,
                ColumnMask *ret_masks)
{
    Session *s = ctx;

    const bool waited = s->ruler.plan_waits;
    const Err err = ruler_plan(&s->ruler, source, columns, count, ret_masks);

    if (err == ERR_MORE && !waited)
        target_refresh(s->target);
    return err;
}

static Err mask(void *ctx, const Cell *cell, Buf *out, bool *ret_null)
{
    Session *s = ctx;

    return phi_transform(&s->phi_keys, cell, s->worker->this_year, out, ret_null);
}

static void keep(void *ctx, Judged *judged)
{
    (void)ctx;
    look_keep(judged);
}

static void completed(void *ctx, const RowSource *source)
{
    Session *s = ctx;

    ruler_completed(&s->ruler, source);
}

static void ready(void *ctx, bool in_transaction, bool failed)
{
    Session *s = ctx;

    budget_answered(s);
    ruler_ready(&s->ruler, in_transaction, failed);
}

static bool notice(void *ctx, Fault *ret_fault)
{
    Session *s = ctx;

    return ruler_notice(&s->ruler, ret_fault);
}

/* Under the audit key, as a statement's values are. */
static Err write_given(void *ctx, Bytes data)
{
    Session *s = ctx;

    while (data.len > 0) {
        Buf *payload = payload_room(s);
        const size_t len = data.len < LIMIT_RECORD ? data.len : LIMIT_RECORD;
        SegmentRecord record = { .leaf = { .type = LEAF_COMMAND_DATA }, .key = &s->audit };

        TRY(payload_chunk(bytes_upto(data, len), payload));
        data = bytes_from(data, len);
        record.payload = buf_view(payload);
        TRY(ports_write_record(s, &record));
    }
    return OK;
}

static bool is_mask(void *ctx, const Value *value)
{
    (void)ctx;
    return policy_value_is_artefact(value);
}

void ports_begin(Session *s)
{
    s->gate.ports = (GatePorts){ s, judge, ruler_drop, write_command, write_output, ask };
}

void ports_connect(Session *s)
{
    const ProtoPorts ports = {
        .ctx = s,
        .keep = keep,
        .drop = ruler_drop,
        .plan = plan,
        .mask = mask,
        .receipt = write_receipt,
        .completed = completed,
        .ready = ready,
        .notice = notice,
        .given = write_given,
        .is_mask = is_mask,
    };

    pg_init(&s->pg, &s->arena, &ports, s->worker->hash_key);
    s->pg.phi = resource_is_phi(target_resource(s->target));
    s->gate.proto = &PG_PROTO;
    s->gate.proto_state = &s->pg;
    s->ruler.proto = &PG_PROTO;
    s->ruler.proto_state = &s->pg;
    s->ruler.cache = &s->worker->looks;
    s->ruler.schema = s->view->knowledge->schema;
    s->ruler.protection = s->view->protection;
    search_path_read(s->view->knowledge->default_path, s->ruler.resource->credentials.user,
                     &s->ruler.path);
    search_path_share(&s->ruler.path, &s->view->knowledge->shared_path);
    search_path_set(&s->ruler.path_before, s->ruler.path);
}
