/* Snapshots of a target's catalogue, and the view of one that a masking profile has. */
#include "worker/target.h"

#include "base/text.h"
#include "lang/sql/sql_look.h"

#include <stdlib.h>

static void knowledge_drop(Knowledge *k)
{
    if (k == NULL || --k->refs > 0)
        return;
    search_path_set(&k->shared_path, NULL);
    arena_done(&k->arena);
    free(k);
}

void view_drop(ProfileView *v)
{
    if (--v->refs > 0)
        return;
    arena_done(&v->arena);
    knowledge_drop(v->knowledge);
    free(v);
}

static bool same_profile(const MaskingProfile *a, const MaskingProfile *b)
{
    return a == b || (a != NULL && b != NULL && text_eq(a->name, b->name));
}

static const ProfileView *older_view(const Target *t, const MaskingProfile *profile)
{
    for (const ProfileView *v = t->views; v != NULL; v = v->next)
        if (same_profile(v->profile, profile))
            return v;
    return NULL;
}

static Err view_new(Target *t, const MaskingProfile *profile, ProfileView **ret)
{
    ProfileView *v = calloc(1, sizeof *v);
    const ProfileView *older = older_view(t, profile);
    const ProtectionInput in = {
        .profile = profile,
        .resource = target_resource(t),
        .schema = t->knowledge->schema,
        .previous = older != NULL ? older->protection : NULL,
        .sensitive = sql_relation_is_sensitive,
    };

    if (v == NULL)
        return ERR_LIMIT;
    *v = (ProfileView){ .refs = 1, .knowledge = t->knowledge, .profile = profile };
    v->knowledge->refs++;
    arena_init(&v->arena, CATALOGUE_ARENA);
    const Err err = protection_make(&in, &v->arena, &v->protection);
    if (err != OK) {
        view_drop(v);
        return err;
    }
    *ret = v;
    return OK;
}

/* The list keeps one view for each profile: the newest, so that sticky columns are not forgotten.
 */
static void replace_view(Target *t, ProfileView *fresh)
{
    for (ProfileView **at = &t->views; *at != NULL; at = &(*at)->next) {
        ProfileView *old = *at;

        if (!same_profile(old->profile, fresh->profile))
            continue;
        *at = old->next;
        view_drop(old);
        break;
    }
    fresh->next = t->views;
    t->views = fresh;
}

Err target_view(Target *t, const MaskingProfile *profile, ProfileView **ret)
{
    for (ProfileView *v = t->views; v != NULL; v = v->next) {
        if (v->profile != profile || v->knowledge != t->knowledge)
            continue;
        v->refs++;
        *ret = v;
        return OK;
    }
    TRY(view_new(t, profile, ret));
    replace_view(t, *ret);
    (*ret)->refs++;
    return OK;
}

static void drop_views(Target *t)
{
    while (t->views != NULL) {
        ProfileView *v = t->views;

        t->views = v->next;
        view_drop(v);
    }
}

void target_views_done(Target *t)
{
    drop_views(t);
    knowledge_drop(t->knowledge);
    t->knowledge = NULL;
}

static const ProfileView *of_older_policy(const Target *t, const Policy *policy)
{
    for (const ProfileView *v = t->views; v != NULL; v = v->next)
        if (v->profile != NULL && policy_profile(policy, v->profile->name) != v->profile)
            return v;
    return NULL;
}

void target_new_rules(Target *t, const Policy *policy, bool same_rules)
{
    if (!same_rules)
        drop_views(t);
    /* Made from the older one of the same name, which then leaves the list. */
    for (;;) {
        const ProfileView *v = of_older_policy(t, policy);
        ProfileView *fresh;

        if (v == NULL)
            return;
        if (target_view(t, policy_profile(policy, v->profile->name), &fresh) == OK)
            view_drop(fresh);
        else
            drop_views(t);
    }
}

Err target_take_knowledge(Target *t)
{
    Knowledge *k = calloc(1, sizeof *k);

    if (k == NULL)
        return ERR_LIMIT;
    k->refs = 1;
    arena_init(&k->arena, CATALOGUE_ARENA);
    const Err err =
        catalogue_build(&t->rows, ++t->worker->schemas, &k->arena, &k->schema, &k->default_path);
    if (err != OK || arena_copy(&k->arena, t->upstream.backend.cluster, &k->cluster) != OK) {
        knowledge_drop(k);
        return err != OK ? err : ERR_LIMIT;
    }
    knowledge_drop(t->knowledge);
    t->knowledge = k;
    return OK;
}
