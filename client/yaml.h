/* YAML as a small tree with positions, for files that people write. Pure: bytes in, tree out.
 *
 * Hostile or mistaken input is refused early, with a position: more than YAML_BYTES_MAX bytes, bytes
 * that are not text, anchors, aliases and tags (so that nothing can grow when it is read), a key given
 * twice, more than one document. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_NODES_MAX 16384
#define YAML_DEPTH_MAX 16

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

/* A node belongs to its tree and lives as long as it. */
struct yaml_node {
    enum yaml_kind kind;
    uint32_t line, column;         /* 1-based; columns count characters */
    bool quoted;                   /* a scalar in quotes: text, never a number */
    char *text;                    /* scalars only */
    const struct yaml_node *first; /* of a sequence its items; of a mapping key, value, key, value ... */
    const struct yaml_node *next;
    size_t count; /* items, or pairs */
};

struct yaml_fault {
    uint32_t line, column; /* 1-based */
    char text[320];        /* what is wrong, what is allowed */
};

struct yaml; /* a tree */

/* Reads one document. NULL: *fault says where and why. The caller ends it with yaml_free(). */
struct yaml *yaml_read(struct span bytes, struct yaml_fault *fault);
void yaml_free(struct yaml *yaml);

const struct yaml_node *yaml_root(const struct yaml *yaml);

/* The key's node in a mapping, its value by ->next; NULL when it is not there. */
const struct yaml_node *yaml_key(const struct yaml_node *mapping, const char *key);

/* A scalar without quotes that says nothing, "null" or "~". */
bool yaml_is_null(const struct yaml_node *node);
