#include "cli/config_diff.h"

#include "base/text.h"
#include "crypto/hash.h"

#include <string.h>

enum { SHOWN_MAX = 16 << 20, PATH_MAX_BYTES = 1024 };

Err side_show(Side *side)
{
    CLEANUP(buf_done) Buf shown = { 0 };

    buf_init(&shown, SHOWN_MAX);
    TRY(config_show(&side->config, &shown));
    const Bytes text = buf_view(&shown);
    side->hash = hash_of(text);
    side->shown = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    return side->shown != NULL ? OK : ERR_LIMIT;
}

void side_done(Side *side)
{
    json_decref(side->shown);
    arena_done(&side->arena);
    *side = (Side){ 0 };
}

static void add(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    json_t *row = json_pack("{s:s}", "path", path);

    if (old != NULL)
        (void)json_object_set(row, "old", (json_t *)(uintptr_t)old);
    if (new != NULL)
        (void)json_object_set(row, "new", (json_t *)(uintptr_t) new);
    (void)json_array_append_new(out, row);
}

/* --- lists ------------------------------------------------------------------------------------ */

static const char *name_of(const json_t *item)
{
    return json_string_value(json_object_get(item, "name"));
}

static bool is_named(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (name_of(json_array_get(list, i)) == NULL)
            return false;
    return json_array_size(list) > 0;
}

static const json_t *named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(name_of(json_array_get(list, i)), name) == 0)
            return json_array_get(list, i);
    return NULL;
}

static bool holds(const json_t *list, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), item))
            return true;
    return false;
}

/* One row for each item that only one of them has. */
static size_t diff_items(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(old); i++)
        if (!holds(new, json_array_get(old, i))) {
            add(out, path, json_array_get(old, i), NULL);
            count++;
        }
    for (size_t i = 0; i < json_array_size(new); i++)
        if (!holds(old, json_array_get(new, i))) {
            add(out, path, NULL, json_array_get(new, i));
            count++;
        }
    return count;
}

static json_t *names_in(const json_t *list, const json_t *other)
{
    json_t *names = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = name_of(json_array_get(list, i));

        if (named(other, name) != NULL)
            (void)json_array_append_new(names, json_string(name));
    }
    return names;
}

/* Of roles, guardrails and profiles the first that fits speaks. */
static void diff_order(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    char where[PATH_MAX_BYTES];
    json_t *before = names_in(old, new), *after = names_in(new, old);

    (void)snprintf(where, sizeof where, "%s (order)", path);
    if (!json_equal(before, after))
        add(out, where, before, after);
    json_decref(before);
    json_decref(after);
}

static void diff_values(json_t *out, const char *path, const json_t *old, const json_t *new);

static void diff_named(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    char where[PATH_MAX_BYTES];

    for (size_t i = 0; i < json_array_size(old); i++) {
        const json_t *item = json_array_get(old, i);

        (void)snprintf(where, sizeof where, "%s[%s]", path, name_of(item));
        diff_values(out, where, item, named(new, name_of(item)));
    }
    for (size_t i = 0; i < json_array_size(new); i++) {
        const json_t *item = json_array_get(new, i);

        (void)snprintf(where, sizeof where, "%s[%s]", path, name_of(item));
        if (named(old, name_of(item)) == NULL)
            add(out, where, NULL, item);
    }
    diff_order(out, path, old, new);
}

static void diff_lists(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    const bool by_name = is_named(old) || is_named(new);

    if (by_name)
        diff_named(out, path, old, new);
    else if (diff_items(out, path, old, new) == 0)
        add(out, path, old, new); /* the same ones in another order, or another number of times */
}

/* --- everything ------------------------------------------------------------------------------- */

static void diff_objects(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    char where[PATH_MAX_BYTES];
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)old, key, value)
    {
        (void)snprintf(where, sizeof where, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
        diff_values(out, where, value, json_object_get(new, key));
    }
    json_object_foreach((json_t *)(uintptr_t) new, key, value)
    {
        (void)snprintf(where, sizeof where, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
        if (json_object_get(old, key) == NULL)
            add(out, where, NULL, value);
    }
}

/* Goes as deep as the table of fields, whatever the files. */
static void diff_values(json_t *out, const char *path, const json_t *old, const json_t *new)
{
    if (new != NULL && json_equal(old, new))
        return;
    if (json_is_object(old) && json_is_object(new))
        diff_objects(out, path, old, new);
    else if (json_is_array(old) && json_is_array(new))
        diff_lists(out, path, old, new);
    else
        add(out, path, old, new);
}

json_t *diff_settings(const Sides *sides)
{
    json_t *out = json_array();

    diff_values(out, "", sides->old->shown, sides->new->shown);
    return out;
}
