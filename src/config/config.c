#include "config/config.h"

#include "base/text.h"
#include "config/load.h"
#include "config/scalar.h"

static Err read_file(Loader *l, Bytes yaml, Config *ret)
{
    Node *root;

    TRY(yaml_read(yaml, l->arena, l->problems, &root));
    if (root == NULL || root->kind != NODE_MAPPING) {
        if (l->problems->errors == 0)
            problem_add(l->problems, l->arena, (Problem){ .place = { 1, 1, 0 } },
                        "the file must be a mapping that begins with `version: 1`");
        return OK;
    }
    TRY(load_config(l, root, ret));
    ret->policy.hold_default_ms = ret->gateway.hold_default_ms;
    check_config(l, ret);
    return l->err;
}

bool gateway_requires_tls(const Gateway *g)
{
    return !address_is_loopback(&g->listen.postgres);
}

Err config_load(Bytes yaml, Arena *arena, Config *ret, Problems *ret_problems)
{
    Loader l = { .arena = arena, .problems = ret_problems };
    Config loaded = { 0 };

    *ret_problems = (Problems){ 0 };
    if (yaml.len > CONFIG_BYTES_MAX) {
        problem_add(ret_problems, arena, (Problem){ .place = { 1, 1, 0 } },
                    "the file is larger than 1 MiB");
        return ERR_LIMIT;
    }
    TRY(read_file(&l, yaml, &loaded));
    problems_sort(ret_problems);
    if (ret_problems->errors > 0)
        return ERR_MALFORMED;
    *ret = loaded;
    return OK;
}
