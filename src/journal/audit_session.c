/* Sessions: every one begins, goes on link by link, and ends. */
#include "journal/audit_state.h"

#include <string.h>

static void report_record(AuditVerify *v, AuditKind kind, const SegmentFrame *f)
{
    AuditFinding finding = {
        .kind = kind, .segment = f->leaf.segment, .offset = f->offset, .seq = f->leaf.seq
    };

    memcpy(finding.session_id, f->leaf.session_id, LEAF_ID);
    audit_report(v, finding);
}

static void report_run(AuditVerify *v, AuditKind kind, const SessionState *s, const SessionRun *run)
{
    AuditFinding finding = { .kind = kind };

    if (run != NULL) {
        finding.segment = run->segment;
        finding.offset = run->offset;
        finding.seq = run->seq;
    }
    memcpy(finding.session_id, s->node.id, LEAF_ID);
    audit_report(v, finding);
}

static SessionRun *run_with(SessionState *s, uint32_t session_seq)
{
    for (SessionRun *run = s->runs; run != NULL; run = run->next) {
        if (session_seq >= run->first && session_seq <= run->last)
            return run;
    }
    return NULL;
}

static void extend(AuditVerify *v, SessionRun *run, const SegmentFrame *f)
{
    if (!hash_eq(&run->last_hash, &f->leaf.session_prev) || run->ended)
        report_record(v, AUDIT_SESSION_CHAIN, f);
    run->last = f->leaf.session_seq;
}

static Err open_run(AuditVerify *v, SessionState *s, const SegmentFrame *f, SessionRun **ret)
{
    TRY(audit_run(v, s, ret));
    (*ret)->first = (*ret)->last = f->leaf.session_seq;
    (*ret)->before = f->leaf.session_prev;
    return OK;
}

/* The run that was waiting for this one's last record, if any. */
static void join_follower(AuditVerify *v, SessionState *s, SessionRun *run, const SegmentFrame *f)
{
    SessionRun *follower = run->last < UINT32_MAX ? run_with(s, run->last + 1) : NULL;

    if (follower == NULL)
        return;
    if (!hash_eq(&run->last_hash, &follower->before) || run->ended)
        report_record(v, AUDIT_SESSION_CHAIN, f);
    follower->first = run->first;
    follower->before = run->before;
    audit_run_forget(v, s, run);
}

static bool is_closed(const SessionState *s)
{
    return s->runs != NULL && s->runs->next == NULL && s->runs->first == 1 && s->runs->ended;
}

Err audit_session_record(AuditVerify *v, const SegmentFrame *f)
{
    const Leaf *leaf = &f->leaf;
    SessionState *s;
    SessionRun *run;

    TRY(audit_session(v, leaf->session_id, &s));
    if (run_with(s, leaf->session_seq) != NULL) {
        report_record(v, AUDIT_SESSION_CHAIN, f);
        return OK;
    }
    if ((leaf->session_seq == 1) != (leaf->type == LEAF_SESSION_START))
        report_record(v, AUDIT_SESSION_CHAIN, f);

    run = run_with(s, leaf->session_seq - 1);
    if (run != NULL)
        extend(v, run, f);
    else
        TRY(open_run(v, s, f, &run));
    run->last_hash = f->hash;
    run->ended = leaf->type == LEAF_SESSION_END;
    run->segment = leaf->segment;
    run->offset = f->offset;
    run->seq = leaf->seq;
    join_follower(v, s, run, f);

    if (is_closed(s)) {
        v->verdict.sessions_closed++;
        audit_session_forget(v, s);
    }
    return OK;
}

static void count_session(AuditVerify *v, const SessionState *s)
{
    const SessionRun *first = s->runs, *last = s->runs;

    for (const SessionRun *run = s->runs; run != NULL; run = run->next) {
        first = run->first < first->first ? run : first;
        last = run->last > last->last ? run : last;
    }
    if (first == NULL || first->first != 1)
        report_run(v, AUDIT_SESSION_START, s, first);
    if (first != last)
        report_run(v, AUDIT_SESSION_HOLE, s, first);
    if (last != NULL && !last->ended && !s->live)
        report_run(v, AUDIT_SESSION_END, s, last);
    v->verdict.sessions_live += s->live ? 1 : 0;
}

void audit_session_census(AuditVerify *v)
{
    for (size_t i = 0; i < AUDIT_BUCKETS; i++) {
        const AuditNode *node = v->state->sessions.buckets[i];
        for (; node != NULL; node = node->next)
            count_session(v, (const SessionState *)(const void *)node);
    }
}
