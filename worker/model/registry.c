#include "registry.h"

#include <string.h>

#include "entitlement.h"
#include "noop.h"

const struct model *model_find(const char *name)
{
    const struct model *models[] = {entitlement_model(), noop_model()};
    for (size_t at = 0; at < sizeof models / sizeof *models; at++)
        if (strcmp(name, models[at]->name) == 0) return models[at];
    return NULL;
}

bool model_is_file(const char *name)
{
    const size_t size = strlen(name);
    return strchr(name, '/') != NULL || (size >= 3 && strcmp(name + size - 3, ".so") == 0);
}
