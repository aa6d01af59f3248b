/* Whether a model's tables can be trusted: what a shared object offers is checked once, before anything
 * relies on it. Pure. */
#pragma once

#include <stddef.h>

#include <goldthread/model.h>

#define MODEL_WHY_BYTES 256

/* NULL when sound; otherwise `why`, one line: what is wrong and what is allowed. Checks the ABI, that no
 * function or text is missing, the bounds of counts and texts, that names differ, and of each parameter its
 * bounds, central value and distribution. Nothing can be said of pointers that lead nowhere. */
const char *model_fault(const struct model *model, char why[MODEL_WHY_BYTES]);
