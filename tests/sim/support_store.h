/* A store that an aggregator's host has open; its rows are the world's. */
#pragma once

#include "shell_store.h"
#include "support_world.h"

struct store {
    struct world *world; /* borrowed */
    char why[256];
};
