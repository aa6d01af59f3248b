/* Distributions as scenario files write them, and as people read them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <goldthread/parameter.h>

#include "empirical.h"
#include "yaml.h"

/* Reads one of
 *     uniform [low, high]                  triangular [low, mode, high]       beta [low, mode, high]
 *     normal [mean, sd]                    truncated_normal [mean, sd, low, high]
 *     lognormal [median, sigma]            discrete [v, v, ...] or {values: [...], weights: [...]}
 *     log_uniform [low, high]              pert [low, mode, high, weight], the weight 4 if it is not given
 *     empirical FILE or {file: FILE, column: NAME}
 *     fixed NUMBER, or a plain number      the word "fixed": not drawn
 * each as {name: [...]} or {name: {low: ..., ...}}, for the parameter, and checks it against the
 * parameter's hard bounds. Values of a file go to the source's sweep. False: *fault says where and why. */
bool uncertainty_read(const struct parameter *parameter, const struct yaml_node *node,
                      const struct empirical_source *source, struct distribution *distribution,
                      struct yaml_fault *fault);

/* For people: "triangular 0, 0.05, 0.12". */
void uncertainty_text(const struct distribution *distribution, char *text, size_t text_bytes);

/* "uniform", "triangular" ... */
const char *uncertainty_name(enum distribution_kind kind);
