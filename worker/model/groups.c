#include "groups.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = CLASS_COUNT * QUINTILE_COUNT * (REGION_COUNT + 1), NO_GROUP = 0xffff };

static enum phase_class class_of(uint8_t phase)
{
    if (phase == PHASE_SECONDARY) return CLASS_SECONDARY;
    return phase == PHASE_PRIMARY || phase == PHASE_NURSERY ? CLASS_PRIMARY : CLASS_SPECIAL;
}

static uint8_t region_of(const struct population *population, size_t row)
{
    return population->authorities[population->authority[row]].region;
}

/* Class, quintile and region of a row as one number. */
static size_t key_of(const struct population *population, size_t row, bool by_region)
{
    size_t key = class_of(population->phase[row]) * (size_t)QUINTILE_COUNT + population->quintile[row];
    return key * (REGION_COUNT + 1) + (by_region ? region_of(population, row) : 0);
}

static struct group group_of_key(size_t key)
{
    size_t left = key / (REGION_COUNT + 1);
    return (struct group){.region = (uint8_t)(key % (REGION_COUNT + 1)),
                          .quintile = (uint8_t)(left % QUINTILE_COUNT),
                          .phase_class = (uint8_t)(left / QUINTILE_COUNT)};
}

/* Numbers the groups that occur, in the order of their keys, so that the order of rows is of no matter. */
static bool list_groups(struct groups *groups, const struct population *population, bool by_region,
                        uint16_t group_at[GROUPS_MAX])
{
    memset(group_at, 0xff, GROUPS_MAX * sizeof *group_at);
    for (size_t row = 0; row < population->count; row++) group_at[key_of(population, row, by_region)] = 0;
    groups->groups = malloc(GROUPS_MAX * sizeof *groups->groups);
    if (!groups->groups) return false;
    for (size_t key = 0; key < GROUPS_MAX; key++) {
        if (group_at[key] == NO_GROUP) continue;
        group_at[key] = (uint16_t)groups->group_count;
        groups->groups[groups->group_count++] = group_of_key(key);
    }
    return true;
}

static void add_row(struct weights *weights, const struct population *population, size_t row)
{
    double ks4 = population->ks4[row];
    weights->fte += population->fte[row];
    weights->ks4 += ks4;
    weights->ks4_fsm6 += ks4 * population->ks4_fsm6[row];
    weights->ks4_gap += ks4 * population->ks4_disadvantaged[row];
}

static void add_weights(struct weights *sum, const struct weights *add)
{
    sum->fte += add->fte;
    sum->ks4 += add->ks4;
    sum->ks4_fsm6 += add->ks4_fsm6;
    sum->ks4_gap += add->ks4_gap;
}

static void weigh_population(struct groups *groups, const struct population *population, const uint16_t *group_of)
{
    for (size_t row = 0; row < population->count; row++) {
        struct group *group = &groups->groups[group_of[row]];
        group->fte += population->fte[row];
        group->ks4 |= population->ks4[row] > 0;
        add_row(&groups->population, population, row);
    }
}

static bool row_is_in(const struct population *population, size_t row, const struct area *area)
{
    if (area->phase != AREA_ALL && area->phase != population->phase[row]) return false;
    if (area->quintile != AREA_ALL && area->quintile != population->quintile[row]) return false;
    switch (area->level) {
    case AREA_REGION:
        return region_of(population, row) == area->key;
    case AREA_AUTHORITY:
        return population->authority[row] == area->key;
    case AREA_SCHOOL:
        return row == area->key;
    default:
        return true;
    }
}

static bool append_share(struct groups *groups, const struct group_share *share)
{
    if (groups->share_count == groups->share_capacity) {
        size_t capacity = groups->share_capacity ? 2 * groups->share_capacity : 1024;
        struct group_share *shares = realloc(groups->shares, capacity * sizeof *shares);
        if (!shares) return false;
        groups->shares = shares;
        groups->share_capacity = capacity;
    }
    groups->shares[groups->share_count++] = *share;
    return true;
}

/* Sums the rows of one area group by group. scratch: [group_count], left in any state. */
static bool weigh_area(struct groups *groups, const struct population *population, const uint16_t *group_of,
                       const struct area *area, struct area_weights *out, struct weights *scratch)
{
    bool one = area->level == AREA_SCHOOL;
    size_t first = one ? area->key : 0, end = one ? (size_t)area->key + 1 : population->count;
    memset(scratch, 0, groups->group_count * sizeof *scratch);
    for (size_t row = first; row < end && row < population->count; row++) {
        if (!row_is_in(population, row, area)) continue;
        add_row(&scratch[group_of[row]], population, row);
        if (!population->rise[row]) continue;
        add_row(&out->rise, population, row);
        out->rise_schools += population->schools[row];
    }
    out->first = groups->share_count;
    for (size_t at = 0; at < groups->group_count; at++) {
        if (scratch[at].fte == 0 && scratch[at].ks4 == 0) continue;
        add_weights(&out->all, &scratch[at]);
        if (!append_share(groups, &(struct group_share){.group = (uint16_t)at, .weights = scratch[at]})) return false;
    }
    out->count = groups->share_count - out->first;
    return true;
}

static bool weigh_areas(struct groups *groups, const struct model_setup *setup, const uint16_t *group_of)
{
    struct weights *scratch = calloc(groups->group_count + 1, sizeof *scratch);
    groups->areas = calloc(setup->area_count + 1, sizeof *groups->areas);
    bool weighed = scratch && groups->areas;
    for (; weighed && groups->area_count < setup->area_count; groups->area_count++) {
        size_t at = groups->area_count;
        weighed = weigh_area(groups, setup->population, group_of, &setup->areas[at], &groups->areas[at], scratch);
    }
    free(scratch);
    return weighed;
}

bool groups_init(struct groups *groups, const struct model_setup *setup, bool by_region)
{
    const struct population *population = setup->population;
    uint16_t group_at[GROUPS_MAX];
    *groups = (struct groups){0};
    uint16_t *group_of = malloc((population->count + 1) * sizeof *group_of);
    if (!group_of || !list_groups(groups, population, by_region, group_at)) goto fail;
    for (size_t row = 0; row < population->count; row++) group_of[row] = group_at[key_of(population, row, by_region)];
    weigh_population(groups, population, group_of);
    if (!weigh_areas(groups, setup, group_of)) goto fail;
    free(group_of);
    return true;
fail:
    free(group_of);
    groups_free(groups);
    return false;
}

void groups_free(struct groups *groups)
{
    free(groups->groups);
    free(groups->areas);
    free(groups->shares);
    *groups = (struct groups){0};
}
