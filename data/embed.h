/* The tables of this folder, built into the program byte for byte. */
#pragma once

#include "bytes.h"

struct span embed_england_2023(void);
struct span embed_parameters(void);
struct span embed_sources(void);
