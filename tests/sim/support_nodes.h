/* What workers compute in the simulator: real nodes of two figures, of which a block's values follow from
 * the flavour of its sweep and its number. Each perfect node is made once in a process and kept. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "digest.h"

#define NODES_FLAVOURS  4u
#define NODES_FIGURES   2u
#define NODES_DRAWS     16u /* per full block */
#define NODES_SHORT     5u  /* in a last block that is not full */
#define NODES_LEVEL_MAX 12u

/* The encoded node (level, index) of a sweep without any disturbance, of full blocks only. Borrowed for ever. */
struct span nodes_bytes(uint32_t flavour, uint32_t level, uint64_t index);

/* That of a last block which is not full. */
struct span nodes_short_bytes(uint32_t flavour, uint64_t block);

/* Digest of the root of a sweep of so many full blocks, and maybe a short one behind: stands for that of its table. */
struct digest nodes_result(uint32_t flavour, uint64_t full_blocks, bool has_short);
