#include "ending.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "amount.h"
#include "progress.h"
#include "stop.h"

/* Checkpoints are the first 2^k blocks, from a k on. */
static uint32_t checkpoint_of(const struct sweep *sweep, uint64_t draws)
{
    uint32_t first = stop_first_level(sweep), level = first;
    while (((uint64_t)sweep->draws_per_block << level) < draws) level++;
    return level - first + 1;
}

static const char *unit_of(const struct plan *plan, const char *measure)
{
    const struct model *model = plan->model;
    for (size_t at = 0; at < model->measure_count; at++)
        if (strcmp(model->measures[at].name, measure) == 0) return model->measures[at].unit;
    return "";
}

struct ending ending_of(const struct plan *plan, const struct node *root)
{
    const struct sweep *sweep = plan->sweep;
    struct ending ending = {.draws = root->draws, .planned = sweep->draws, .rule = sweep->stop, .half_width = NAN};
    if (sweep->stop.kind == STOP_NEVER) return ending;
    ending.half_width = stop_half_width(plan, root);
    ending.unit = unit_of(plan, sweep->stop.measure);
    if (ending_is_early(&ending)) ending.checkpoint = checkpoint_of(sweep, ending.draws);
    return ending;
}

/* What the rule asks for, and what there is. */
static void describe_rule(const struct ending *ending, char text[ENDING_BYTES / 2])
{
    char is[AMOUNT_BYTES], asked[AMOUNT_BYTES];
    const struct sweep_stop *rule = &ending->rule;
    const struct amount_unit unit = amount_unit(ending->unit);
    if (rule->kind == STOP_RANKING) {
        snprintf(text, ENDING_BYTES / 2, "drivers of %.32s: the %u largest %s apart at %.4g %%", rule->measure,
                 rule->top, ending_is_early(ending) ? "stand" : "must stand", 100 * rule->confidence);
        return;
    }
    amount_text(unit.scale * ending->half_width, 2, is);
    amount_text(unit.scale * rule->half_width, 4, asked);
    snprintf(text, ENDING_BYTES / 2, "half-width of the mean of %.32s: %.24s at %.4g %%, asked for %.24s%s%.16s",
             rule->measure, is, 100 * rule->confidence, asked, *unit.name ? " " : "", unit.name);
}

void ending_line(const struct ending *ending, char text[ENDING_BYTES])
{
    char draws[32], planned[32], rule[ENDING_BYTES / 2];
    text[0] = '\0';
    if (ending->rule.kind == STOP_NEVER) return;
    describe_rule(ending, rule);
    progress_count(ending->draws, draws, sizeof draws);
    progress_count(ending->planned, planned, sizeof planned);
    if (ending_is_early(ending))
        snprintf(text, ENDING_BYTES, "stopped: sure enough after %s of %s draws, at checkpoint %u\n  %s", draws,
                 planned, ending->checkpoint, rule);
    else /* looked at at checkpoints only, the rule may hold at the end and was still not met */
        snprintf(text, ENDING_BYTES, "not stopped: no checkpoint of %s draws met the rule\n  %s", draws, rule);
}

json_t *ending_describe(const struct ending *ending)
{
    if (!ending_is_early(ending)) return json_null();
    json_t *root = json_object();
    json_object_set_new(root, "draws", json_integer((json_int_t)ending->draws));
    json_object_set_new(root, "planned", json_integer((json_int_t)ending->planned));
    json_object_set_new(root, "measure", json_string(ending->rule.measure));
    json_object_set_new(root, "area_code", json_string(ending->rule.area_code));
    json_object_set_new(root, "unit", json_string(ending->unit));
    json_object_set_new(root, "checkpoint", json_integer(ending->checkpoint));
    json_object_set_new(root, "half_width", amount_json(ending->half_width));
    if (ending->rule.kind == STOP_HALF_WIDTH)
        json_object_set_new(root, "half_width_asked", amount_json(ending->rule.half_width));
    if (ending->rule.kind == STOP_RANKING) json_object_set_new(root, "top", json_integer(ending->rule.top));
    json_object_set_new(root, "confidence", json_real(ending->rule.confidence));
    return root;
}
