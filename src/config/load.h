/* From the tree of a file to structs, by the table of fields. Private to config/. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/config.h"
#include "config/fields.h"
#include "config/yaml_tree.h"

typedef struct Task Task;     /* a mapping that is still to be read into a struct */
typedef struct Origin Origin; /* where a member's value stands in the file */

typedef struct Loader {
    Arena *arena;
    Problems *problems;
    Task *first, *last;
    Origin *origins;
    Err err; /* the first that is not about the file: no memory */
} Loader;

/* Reads `root` (NULL: an empty file) into *ret. Problems are added to l->problems. */
Err load_config(Loader *l, const Node *root, Config *ret) MUST_CHECK;
/* Of the member or list element at `address`; line 1 when it is a default. */
Place load_place(const Loader *l, const void *address);
/* What no single field can say: names, references, what can never work. */
void check_config(Loader *l, const Config *c);

#endif
