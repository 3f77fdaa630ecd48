/* Is there anybody who could say yes? Who waits ten minutes for nobody is told so at once instead.
 */
#include "keeper/approve.h"

#include "base/text.h"

enum { PERSON_ARENA = 64 << 10 };

typedef struct Search {
    Keeper *keeper;
    const StoreRequest *request;
    uint32_t found;
} Search;

typedef struct Candidate {
    Search *search;
    Approver by;
    bool could;
} Candidate;

static Err try_credential(void *ctx, const StoreVerifier *v)
{
    Candidate *c = ctx;
    Keeper *k = c->search->keeper;
    const bool dead = v->revoked_ns != 0 || (v->expires_ns != 0 && v->expires_ns <= k->now.unix_ns);

    c->by.credential = *v;
    if (!dead && approve_why_not(k, c->search->request, &c->by) == NULL)
        c->could = true;
    return OK;
}

static Err look_at(void *ctx, const StoreUser *u)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    Search *s = ctx;
    Candidate c = { .search = s };

    if (s->found >= s->request->count || u->kind != IDENTITY_HUMAN)
        return OK;
    arena_init(&arena, PERSON_ARENA);
    const Err known = keeper_identity(s->keeper, u->name, &arena, &c.by.who, &c.by.user);
    if (known == ERR_MORE)
        return OK; /* disabled, expired */
    TRY(known);
    TRY(store_verifier_each(s->keeper->store, u->name, try_credential, &c));
    s->found += c.could;
    return OK;
}

Err approvers_are_enough(Keeper *k, const StoreRequest *r, bool *ret)
{
    Search s = { .keeper = k, .request = r };

    TRY(store_user_each(k->store, look_at, &s));
    *ret = s.found >= r->count;
    return OK;
}
