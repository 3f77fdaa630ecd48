/* The part of YAML that a configuration needs: mappings, sequences, scalars. Built from
 * libyaml's events, which know places; its document loader does not.
 *
 * Refused, at their places: tags, anchors, aliases, merge keys, directives, a second document,
 * keys that are not scalars, duplicate keys, more than 12 levels or 100,000 nodes. */
#ifndef CONFIG_YAML_TREE_H
#define CONFIG_YAML_TREE_H

#include "config/problem.h"

typedef enum NodeKind { NODE_SCALAR, NODE_MAPPING, NODE_SEQUENCE } NodeKind;

typedef struct Node Node;
struct Node {
    NodeKind kind;
    Place place;
    Bytes text;         /* of a scalar */
    bool plain;         /* a scalar without quotes */
    Node *first, *next; /* children; of a mapping: key, value, key, value … */
};

/* Problems are added; *ret is NULL for an empty file and for one that could not be read to its
 * end. ERR_LIMIT: no memory. */
Err yaml_read(Bytes yaml, Arena *arena, Problems *problems, Node **ret) MUST_CHECK;

#endif
