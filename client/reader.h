/* What reads one part of a scenario file: the fault that is kept, and the small steps that all parts take. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "empirical.h"
#include "scenario.h"
#include "setting.h"
#include "yaml.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

/* Keeps its first fault and reads on harmlessly; `failed` is checked before the sweep is used. */
struct reader {
    const char *file;
    char *why; /* of SCENARIO_WHY_BYTES */
    bool failed;
    const struct yaml_node *root;   /* of the file */
    empirical_read_file *read_file; /* of what the file names */
    struct scenario_file *out;
    struct sweep *sweep;
    struct parameter_table table;
};

/* A fault at a place in the file. */
void fault_at(struct reader *reader, uint32_t line, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define fault(reader, node, ...) fault_at(reader, (node)->line, (node)->column, __VA_ARGS__)

/* The place of a node; 1:1 without one. */
struct scenario_place place_of(const struct yaml_node *node);

/* The value of a key of the mapping that is the value of `part` in the file, or NULL. */
const struct yaml_node *value_in(const struct reader *reader, const char *part, const char *key);

/* A fault of the command line has no place in the file. */
void fault_option(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something worth knowing that is no fault. */
void note(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "a, b, c" */
void join(const char *const *words, size_t count, char *text, size_t text_bytes);

/* "; did you mean `x`? allowed are a, b, c", the second half of a fault about a name. */
void hint(const char *text, const char *const *words, size_t count, char *out, size_t out_bytes);

/* False, and a fault: no mapping, or one with another key. */
bool expect_mapping(struct reader *reader, const struct yaml_node *node, const char *what, const char *const *keys,
                    size_t count);

/* The value of a key, or NULL. */
const struct yaml_node *value_of(const struct yaml_node *mapping, const char *key);

/* A node's text as a fault shows it. */
const char *kind_name(const struct yaml_node *node);

/* A whole number within bounds; `min` after a fault. */
uint64_t read_whole(struct reader *reader, const struct yaml_node *node, const char *what, uint64_t min, uint64_t max);

/* A list of names, each found in `words`, as bits. */
uint32_t read_bits(struct reader *reader, const struct yaml_node *node, const char *what, const char *const *words,
                   size_t count);

/* A parameter of the model, as an index into its table; -1 after a fault. */
int find_parameter(struct reader *reader, const struct yaml_node *key);

/* A measure of the model, as an index; -1 after a fault. */
int find_measure(struct reader *reader, const struct yaml_node *node);
