/* The built-in model: an entitlement to professional development for teachers in England. */
#pragma once

#include <goldthread/model.h>

const struct model *entitlement_model(void);
