#include "ending.h"

#include <math.h>
#include <stdio.h>

#include "progress.h"
#include "stop.h"

struct ending ending_of(const struct plan *plan, const struct node *root)
{
    const struct sweep *sweep = plan->sweep;
    struct ending ending = {.draws = root->draws, .planned = sweep->draws, .rule = sweep->stop, .half_width = NAN};
    if (sweep->stop.kind != STOP_NEVER) ending.half_width = stop_half_width(plan, root);
    return ending;
}

static void line_of_early_end(const struct ending *ending, char text[ENDING_BYTES])
{
    char draws[32], planned[32], rule[80];
    const double percent = 100 * ending->rule.confidence;
    progress_count(ending->draws, draws, sizeof draws);
    progress_count(ending->planned, planned, sizeof planned);
    if (ending->rule.kind == STOP_HALF_WIDTH)
        snprintf(rule, sizeof rule, "half-width %.2g at %.4g %%", ending->half_width, percent);
    else snprintf(rule, sizeof rule, "the %u largest drivers stand apart at %.4g %%", ending->rule.top, percent);
    snprintf(text, ENDING_BYTES, "stopped: sure enough after %s of %s draws (%s)", draws, planned, rule);
}

/* The rule is looked at at checkpoints only, so that it may hold at the end and was still not met. */
static void line_of_last_draw(const struct ending *ending, char text[ENDING_BYTES])
{
    char draws[32], rule[80];
    progress_count(ending->draws, draws, sizeof draws);
    if (ending->rule.kind == STOP_HALF_WIDTH)
        snprintf(rule, sizeof rule, "half-width %.2g, asked for %.2g", ending->half_width, ending->rule.half_width);
    else snprintf(rule, sizeof rule, "asked for: the %u largest drivers apart", ending->rule.top);
    snprintf(text, ENDING_BYTES, "not stopped: no checkpoint of %s draws met the rule (%s)", draws, rule);
}

void ending_line(const struct ending *ending, char text[ENDING_BYTES])
{
    text[0] = '\0';
    if (ending->rule.kind == STOP_NEVER) return;
    if (ending_is_early(ending)) line_of_early_end(ending, text);
    else line_of_last_draw(ending, text);
}

json_t *ending_describe(const struct ending *ending)
{
    if (!ending_is_early(ending)) return json_null();
    json_t *root = json_object();
    json_object_set_new(root, "draws", json_integer((json_int_t)ending->draws));
    json_object_set_new(root, "planned", json_integer((json_int_t)ending->planned));
    json_object_set_new(root, "measure", json_string(ending->rule.measure));
    json_object_set_new(root, "area_code", json_string(ending->rule.area_code));
    json_object_set_new(root, "half_width", isfinite(ending->half_width) ? json_real(ending->half_width) : json_null());
    if (ending->rule.kind == STOP_RANKING) json_object_set_new(root, "top", json_integer(ending->rule.top));
    json_object_set_new(root, "confidence", json_real(ending->rule.confidence));
    return root;
}
