/* What the aggregator knows of a sweep of so many full blocks, without a stop rule and without a family. */
#pragma once

#include "catalog.h"

#define PLAIN_FACTS(count) (&(struct facts){.blocks = (count), .full_blocks = (count), .first_level = FOLD_NO_RULE})
