#include "registry.h"

#include <string.h>

#include "entitlement.h"

const struct model *model_find(const char *name)
{
    const struct model *model = entitlement_model();
    return strcmp(name, model->name) == 0 ? model : NULL;
}
