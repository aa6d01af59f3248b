#include "draws.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "design.h"
#include "table.h"

/* A piece in the making. */
struct piece {
    const struct plan *plan;
    const struct design *design;
    const struct node *root;
    struct buffer text;
    model_lanes values[MODEL_PARAMETERS_MAX];
};

static void put(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text));
}

static void put_name(struct buffer *out, const char *name)
{
    char field[2 * (PLAN_COLUMN_NAME_BYTES + 64) + 4], *end = table_field(field, name);
    put(out, ",");
    buffer_append(out, field, (size_t)(end - field) - 1); /* without its comma */
}

static void put_number(struct buffer *out, double value)
{
    char text[33] = ",";
    table_number(value, text + 1);
    put(out, text);
}

static void put_header(struct piece *piece)
{
    const struct plan *plan = piece->plan;
    put(&piece->text, "draw,failed");
    for (size_t at = 0; at < design_dimensions(piece->design); at++)
        put_name(&piece->text, plan->sweep->parameters[design_parameter(piece->design, at)].name);
    for (size_t at = 0; at < plan->study.target_count; at++) {
        const struct study_target *target = &plan->study.targets[at];
        char column[PLAN_COLUMN_NAME_BYTES], name[PLAN_COLUMN_NAME_BYTES + 64];
        plan_column_name(plan, target->column, column, sizeof column);
        snprintf(name, sizeof name, "%s/%s/%s", column, plan->areas[target->area].code,
                 plan->model->measures[plan->figures[plan->kept[target->kept]].measure].name);
        put_name(&piece->text, name);
    }
    put(&piece->text, "\n");
}

static void put_line(struct piece *piece, uint64_t draw, size_t lane)
{
    const size_t width = piece->root->shape.width;
    const double *kept = piece->root->kept + draw * width;
    char number[24];
    bool failed = isinf(kept[0]);
    snprintf(number, sizeof number, "%" PRIu64 ",%d", draw, failed);
    put(&piece->text, number);
    for (size_t at = 0; at < design_dimensions(piece->design); at++)
        put_number(&piece->text, piece->values[design_parameter(piece->design, at)][lane]);
    for (size_t at = 0; at < width; at++) put_number(&piece->text, failed ? NAN : kept[at]);
    put(&piece->text, "\n");
}

static bool emit_piece(struct piece *piece, bool (*emit)(void *context, struct span piece), void *context)
{
    bool going = !piece->text.failed && emit(context, buffer_span(&piece->text));
    buffer_clear(&piece->text);
    return going;
}

static bool emit_lines(struct piece *piece, bool (*emit)(void *context, struct span piece), void *context)
{
    const struct sweep *sweep = piece->plan->sweep;
    const uint64_t draws = piece->root->draws;
    const uint32_t width = sweep->draws_per_block < MODEL_LANES ? sweep->draws_per_block : MODEL_LANES;
    for (uint64_t first = 0; first < draws; first += width) {
        size_t count = draws - first < width ? draws - first : width;
        design_row(piece->design, 0, first, piece->values, NULL);
        for (size_t lane = 0; lane < count; lane++) put_line(piece, first + lane, lane);
        if (!emit_piece(piece, emit, context)) return false;
    }
    return true;
}

bool draws_csv(const struct plan *plan, const struct node *root, bool (*emit)(void *context, struct span piece),
               void *context)
{
    char why[256];
    struct design *design = design_new(plan->sweep, why, sizeof why);
    if (!design) return false;
    struct piece piece = {.plan = plan, .design = design, .root = root};
    put_header(&piece);
    bool going = emit_piece(&piece, emit, context) && emit_lines(&piece, emit, context);
    buffer_free(&piece.text);
    design_free(design);
    return going;
}
