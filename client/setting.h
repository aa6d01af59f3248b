/* Settings: a value given to a parameter, by a scenario file or by --set NAME=VALUE. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/parameter.h>

/* A parameter table, borrowed. */
struct parameter_table {
    const struct parameter *rows;
    size_t count;
};

/* The row of that name, or -1; `why` then says which name is meant. */
int setting_find(struct parameter_table table, const char *name, char *why, size_t why_bytes);

/* Reads a value: a number, or the name of a choice. False: `why` says what is wrong and what is
 * allowed. */
bool setting_read(const struct parameter *parameter, const char *text, double *value, char *why, size_t why_bytes);

/* Checks a number against the hard bounds, wholeness and choices. */
bool setting_check(const struct parameter *parameter, double value, char *why, size_t why_bytes);

/* Whether the value lies in the plausible range, where one is given. */
bool setting_is_plausible(const struct parameter *parameter, double value);

/* What is allowed, for people: "0 to 1", "a whole number, 0 to 40", "static or dynamic". */
void setting_allowed(const struct parameter *parameter, char *text, size_t text_bytes);

/* The number of choices, and the name of one; the pieces of "static|dynamic". */
size_t setting_choice_count(const struct parameter *parameter);
void setting_choice(const struct parameter *parameter, size_t at, char *name, size_t name_bytes);

/* The value as people write it: a choice's name, or the shortest number. */
void setting_text(const struct parameter *parameter, double value, char *text, size_t text_bytes);
