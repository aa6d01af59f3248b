/* The parts of a scenario file that ask for an analysis beyond the rollup: how the design is made in detail,
 * correlations, sensitivity, thresholds, comparison of scenarios, discovery, and when to stop. */
#pragma once

#include "reader.h"

#define ANALYSIS_GROUPS       16u        /* replicated scrambles where intervals are wanted */
#define ANALYSIS_TRAJECTORIES 64u        /* draws of a Morris design unless the file says how many */
#define ANALYSIS_DELTA_DRAWS  (1u << 14) /* below, delta is noticeably too small (docs/sensitivity.md) */
#define ANALYSIS_LEVELS       4u         /* of Morris and grid */

/* `replicates`, `levels` and `second_order` of the mapping `design`. */
void analysis_read_design(struct reader *reader, const struct yaml_node *design);

/* `draws` and `exceed` of the mapping `outputs`. */
void analysis_read_outputs(struct reader *reader, const struct yaml_node *outputs);

/* `correlations`, `sensitivity`, `stop`, `compare` and `discover` of the file. Scenarios and outputs have been read. */
void analysis_read(struct reader *reader, const struct yaml_node *root);

/* Sets what follows from the rest, once the command line has had its say: draws of designs that have a number of
 * their own, replicates where intervals are wanted; and refuses what does not go together, or what the design has no
 * use for. */
void analysis_finish(struct reader *reader, const struct scenario_overrides *overrides);
