#include "journal/audit_state.h"

#include <string.h>

static AuditNode **bucket_of(AuditTable *t, const uint8_t *id)
{
    uint32_t mixed = 2166136261u; /* FNV-1a: segment ids are small numbers */

    for (size_t i = 0; i < LEAF_ID; i++)
        mixed = (mixed ^ id[i]) * 16777619u;
    return &t->buckets[mixed % AUDIT_BUCKETS];
}

static void *find(AuditTable *t, const uint8_t *id)
{
    AuditNode *node = *bucket_of(t, id);

    while (node != NULL && memcmp(node->id, id, LEAF_ID) != 0)
        node = node->next;
    return node;
}

static void insert(AuditTable *t, AuditNode *node, const uint8_t *id)
{
    AuditNode **bucket = bucket_of(t, id);

    memcpy(node->id, id, LEAF_ID);
    node->next = *bucket;
    *bucket = node;
}

Err audit_writer(AuditVerify *v, const uint8_t *id, WriterState **ret)
{
    WriterState *w = find(&v->state->writers, id);

    if (w == NULL) {
        void *mem;
        TRY(arena_alloc(&v->arena, sizeof *w, &mem));
        w = mem;
        insert(&v->state->writers, &w->node, id);
    }
    *ret = w;
    return OK;
}

Err audit_segment(AuditVerify *v, uint64_t segment, SegmentState **ret)
{
    uint8_t id[LEAF_ID] = { 0 };

    for (size_t i = 0; i < 8; i++)
        id[i] = (uint8_t)(segment >> 8 * i);
    SegmentState *s = find(&v->state->segments, id);
    if (s == NULL) {
        void *mem;
        TRY(arena_alloc(&v->arena, sizeof *s, &mem));
        s = mem;
        s->seal.segment = segment;
        hash_begin(&s->log_hashes);
        insert(&v->state->segments, &s->node, id);
    }
    *ret = s;
    return OK;
}

Err audit_session(AuditVerify *v, const uint8_t *id, SessionState **ret)
{
    SessionState *s = find(&v->state->sessions, id);

    if (s == NULL) {
        s = v->state->free_sessions;
        if (s != NULL) {
            v->state->free_sessions = (SessionState *)(void *)s->node.next;
            *s = (SessionState){ 0 };
        } else {
            void *mem;
            TRY(arena_alloc(&v->arena, sizeof *s, &mem));
            s = mem;
        }
        insert(&v->state->sessions, &s->node, id);
    }
    *ret = s;
    return OK;
}

Err audit_run(AuditVerify *v, SessionState *s, SessionRun **ret)
{
    SessionRun *run = v->state->free_runs;

    if (run != NULL) {
        v->state->free_runs = run->next;
        *run = (SessionRun){ 0 };
    } else {
        void *mem;
        TRY(arena_alloc(&v->arena, sizeof *run, &mem));
        run = mem;
    }
    run->next = s->runs;
    s->runs = run;
    *ret = run;
    return OK;
}

Err audit_pending(AuditVerify *v, const MerkleHead *head)
{
    PendingCheckpoint *p = v->state->free_pending;

    if (p != NULL) {
        v->state->free_pending = p->next;
    } else {
        void *mem;
        TRY(arena_alloc(&v->arena, sizeof *p, &mem));
        p = mem;
    }
    PendingCheckpoint **at = &v->state->pending;
    while (*at != NULL && (*at)->head.size < head->size)
        at = &(*at)->next;
    *p = (PendingCheckpoint){ *at, *head };
    *at = p;
    return OK;
}

void audit_pending_forget(AuditVerify *v)
{
    PendingCheckpoint *p = v->state->pending;

    v->state->pending = p->next;
    p->next = v->state->free_pending;
    v->state->free_pending = p;
}

void audit_run_forget(AuditVerify *v, SessionState *s, SessionRun *run)
{
    SessionRun **at = &s->runs;

    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    run->next = v->state->free_runs;
    v->state->free_runs = run;
}

void audit_session_forget(AuditVerify *v, SessionState *s)
{
    AuditNode **at = bucket_of(&v->state->sessions, s->node.id);

    while (s->runs != NULL)
        audit_run_forget(v, s, s->runs);
    while (*at != &s->node)
        at = &(*at)->next;
    *at = s->node.next;
    s->node.next = (AuditNode *)(void *)v->state->free_sessions;
    v->state->free_sessions = s;
}
