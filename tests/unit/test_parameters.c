#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <goldthread/model.h>
#include <goldthread/sweep.h>

#include "csv.h"
#include "embed.h"
#include "parameters.h"
#include "sources.h"

static const struct parameter *find(const char *name)
{
    size_t count;
    const struct parameter *table = parameters_table(&count);
    int at = parameters_find(table, count, name);
    cr_assert_geq(at, 0, "there is a parameter %s", name);
    return &table[at];
}

/* The range that a distribution can give; NaN for one without ends. */
static void support(const struct distribution *distribution, double *low, double *high)
{
    *low = distribution->low;
    *high = distribution->high;
    if (distribution->kind == DISTRIBUTION_NORMAL) *low = *high = NAN;
    if (distribution->kind == DISTRIBUTION_LOGNORMAL) *low = 0, *high = NAN;
    if (distribution->kind != DISTRIBUTION_DISCRETE) return;
    *low = distribution->values[0];
    *high = distribution->values[distribution->point_count - 1];
}

Test(parameters, every_row_of_the_file_is_in_the_table_in_its_order)
{
    static struct csv_row row;
    struct csv csv;
    size_t count, at = 0;
    const struct parameter *table = parameters_table(&count);
    csv_open(&csv, embed_parameters());
    cr_assert_eq(csv_next(&csv, &row), CSV_ROW, "the header");
    for (; csv_next(&csv, &row) == CSV_ROW; at++) {
        cr_assert_lt(at, count);
        cr_expect(csv_equals(row.fields[0], table[at].name), "row %zu is %s", at, table[at].name);
    }
    cr_expect_eq(at, count);
    cr_expect_leq(count, MODEL_PARAMETERS_MAX);
    cr_expect_eq(parameters_table(&count), table, "a second call gives the same table");
}

Test(parameters, names_are_unique_short_words)
{
    size_t count;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++) {
        const char *name = table[at].name;
        cr_expect_lt(strlen(name), sizeof((struct sweep_parameter *)0)->name, "%s is short enough for a sweep", name);
        cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._"), strlen(name), "%s", name);
        cr_expect_eq(parameters_find(table, count, name), (int)at, "%s is there once", name);
    }
    cr_expect_eq(parameters_find(table, count, "effect.attainment"), -1);
    cr_expect_eq(parameters_find(table, count, ""), -1);
}

Test(parameters, every_row_says_what_it_is_and_where_it_comes_from)
{
    size_t count;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++) {
        cr_expect_gt(strlen(table[at].unit), 0, "unit of %s", table[at].name);
        cr_expect_gt(strlen(table[at].source), 0, "source of %s", table[at].name);
        cr_expect_gt(strlen(table[at].meaning), 0, "meaning of %s", table[at].name);
        cr_expect_null(strchr(table[at].meaning, '\n'), "meaning of %s is one line", table[at].name);
    }
}

Test(parameters, what_is_published_or_derived_names_a_source)
{
    size_t count;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++)
        if (table[at].status != PARAMETER_ASSUMPTION)
            cr_expect_not_null(strchr(table[at].source, '['), "%s: %s", table[at].name, table[at].source);
}

Test(parameters, every_tag_is_in_the_table_of_sources)
{
    size_t count, tags = 0;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++)
        for (const char *tag = strchr(table[at].source, '['); tag; tag = strchr(tag + 1, '[')) {
            cr_expect_not_null(sources_find(tag + 1), "%s names %s", table[at].name, tag);
            tags++;
        }
    cr_expect_gt(tags, count / 2, "tags were found");
    cr_expect_null(sources_find("S999"));
    cr_expect_null(sources_find("S"), "the beginning of a tag is not a tag");
    cr_expect_null(sources_find(""));
}

Test(parameters, sources_are_complete_and_unique)
{
    size_t count;
    const struct source *sources = sources_table(&count);
    for (size_t at = 0; at < count; at++) {
        cr_expect_eq(sources_find(sources[at].tag), &sources[at], "%s is there once", sources[at].tag);
        cr_expect_gt(strlen(sources[at].title), 0, "title of %s", sources[at].tag);
        cr_expect_gt(strlen(sources[at].publisher), 0, "publisher of %s", sources[at].tag);
        const char *url = sources[at].url;
        cr_expect(*url == '\0' || strncmp(url, "https://", 8) == 0, "address of %s: %s", sources[at].tag, url);
        cr_expect(*url || *sources[at].date, "%s has an address or a date", sources[at].tag);
    }
}

Test(parameters, central_values_lie_inside_the_hard_bounds)
{
    size_t count;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++) {
        const struct parameter *row = &table[at];
        cr_expect_lt(row->lower, row->upper, "%s: %g to %g", row->name, row->lower, row->upper);
        if (!isnan(row->central))
            cr_expect(row->lower <= row->central && row->central <= row->upper, "%s: %g", row->name, row->central);
        if (row->whole && !isnan(row->central))
            cr_expect(row->central == floor(row->central), "%s: %g is whole", row->name, row->central);
        cr_expect_eq(isnan(row->low), isnan(row->high), "%s has both ends of its plausible range or none", row->name);
        if (!isnan(row->low))
            cr_expect(row->lower <= row->low && row->low <= row->high && row->high <= row->upper, "%s: %g to %g",
                      row->name, row->low, row->high);
        if (!isnan(row->low) && !isnan(row->central))
            cr_expect(row->low <= row->central && row->central <= row->high, "%s: %g in %g to %g", row->name,
                      row->central, row->low, row->high);
    }
}

Test(parameters, distributions_stay_inside_the_hard_bounds)
{
    size_t count, uncertain = 0;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++) {
        const struct parameter *row = &table[at];
        double low, high;
        if (row->distribution.kind == DISTRIBUTION_FIXED) continue;
        support(&row->distribution, &low, &high);
        cr_expect_lt(low, high, "%s: %g to %g", row->name, low, high);
        cr_expect(low >= row->lower && high <= row->upper, "%s: %g to %g", row->name, low, high);
        cr_expect(low <= row->central && row->central <= high, "%s: %g", row->name, row->central);
        uncertain++;
    }
    cr_expect_eq(uncertain, 15);
}

Test(parameters, choices_match_their_bounds)
{
    size_t count;
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++) {
        if (!table[at].choices) continue;
        size_t last = 0;
        for (const char *bar = strchr(table[at].choices, '|'); bar; bar = strchr(bar + 1, '|')) last++;
        cr_expect(table[at].whole && table[at].lower == 0 && table[at].upper == (double)last, "%s: %s", table[at].name,
                  table[at].choices);
    }
}

/* The fields of struct distribution that each written form fills. */
Test(parameters, distributions_are_read_number_by_number)
{
    const struct distribution *hours = &find("effect.hours")->distribution;
    cr_expect_eq(hours->kind, DISTRIBUTION_TRIANGULAR);
    cr_expect(hours->low == 6 && hours->mode == 12 && hours->high == 35);

    const struct distribution *phi = &find("effect.implementation")->distribution;
    cr_expect_eq(phi->kind, DISTRIBUTION_BETA);
    cr_expect(phi->low == 0.2 && phi->mode == 0.5 && phi->high == 1);

    const struct distribution *gamma = &find("effect.dose_exponent")->distribution;
    cr_expect_eq(gamma->kind, DISTRIBUTION_UNIFORM);
    cr_expect(gamma->low == 0.3 && gamma->high == 1);

    const struct distribution *sigma = &find("effect.teacher_quality_sd_effect")->distribution;
    cr_expect_eq(sigma->kind, DISTRIBUTION_TRUNCATED_NORMAL);
    cr_expect(sigma->mean == 0.25 && sigma->sd == 0.05 && sigma->low == 0.1 && sigma->high == 0.3);

    const struct distribution *lag = &find("effect.lag_years")->distribution;
    cr_expect_eq(lag->kind, DISTRIBUTION_DISCRETE);
    cr_assert_eq(lag->point_count, 3);
    for (uint32_t at = 0; at < 3; at++)
        cr_expect(lag->values[at] == at && lag->weights[at] == (at == 1 ? 2 : 1), "point %u", at);
}

/* The names that scripts rely on, with the values of the reference run. */
Test(parameters, names_that_scripts_rely_on_hold_the_reference_values)
{
    static const struct {
        const char *name;
        double central;
    } rows[] = {
        {"effect.attainment_sd", 0.05},
        {"effect.implementation", 0.5},
        {"effect.hours", 12},
        {"effect.reference_hours", 35},
        {"effect.dose_exponent", 0.6},
        {"effect.teacher_decay", 0.2},
        {"effect.pupil_persistence", 0.25},
        {"effect.lag_years", 1},
        {"effect.disadvantaged_ratio", 1},
        {"effect.teaching_quality_sd", 0},
        {"effect.quality_ramp_years", 2},
        {"effect.teacher_quality_sd_effect", 0.25},
        {"retention.full_dose", 0.05},
        {"retention.early_career", 0},
        {"value.grades_per_sd", 7.4},
        {"value.grade_gbp", 9000},
        {"value.exchequer_share", 0.33},
        {"value.credit", 0},
        {"cost.fee_gbp", 627.5},
        {"cost.cover_quintile_5_gbp", 235},
        {"cost.replacement_gbp", 25000},
        {"entitlement.funded_years", 0},
        {"entitlement.start_share", 0.2928932188134524},
        {"entitlement.churn", 0},
        {"entitlement.initial_reach", 0},
        {"rise.enabled", 0},
        {"rise.effect_sd", 0.03},
        {"rise.grant_gbp", 100000},
        {"rise.schools_scale", 1},
        {"workforce.mode", 0},
        {"epi.enabled", 0},
        {"epi.cost_gbp_per_year", 400e6},
        {"epi.cohort_pupils", 575000},
        {"epi.pv_gbp_per_pupil", 6000},
        {"epi.cohorts_in_school", 11},
        {"epi.retention", 0.29},
        {"frontier.pupils_per_year", 750000},
        {"frontier.pv_gbp_per_pupil_per_sd", 15319},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++)
        cr_expect(find(rows[at].name)->central == rows[at].central, "%s is %.17g", rows[at].name,
                  find(rows[at].name)->central);
}

Test(parameters, start_shares_by_quintile_are_unset)
{
    for (int quintile = 1; quintile <= 5; quintile++) {
        char name[48];
        snprintf(name, sizeof name, "entitlement.start_share_quintile_%d", quintile);
        cr_expect(isnan(find(name)->central), "%s", name);
    }
}

/* Figures that follow from others, worked out again. */
Test(parameters, derived_values_are_what_they_are_derived_from)
{
    double mix = 0;
    for (int band = 1; band <= 5; band++) {
        char share[48], rate[48];
        snprintf(share, sizeof share, "workforce.band_share_%d", band);
        snprintf(rate, sizeof rate, "workforce.leaver_rate_band_%d", band);
        mix += find(share)->central * find(rate)->central;
    }
    static const char *const shares[] = {"workforce.band_share_1", "workforce.band_share_2", "workforce.band_share_3",
                                         "workforce.band_share_4", "workforce.band_share_5"};
    double sum = 0;
    for (size_t at = 0; at < 5; at++) sum += find(shares[at])->central;

    const struct {
        const char *what;
        double have, want;
    } rows[] = {
        {"leaver rate of the mix", mix, 0.089105},
        {"band shares", sum, 1},
        {"start share", find("entitlement.start_share")->central, 1 - pow(0.25, 0.25)},
        {"scale", find("workforce.fte_scale")->central, find("workforce.fte_total")->central / 463366.4},
        {"primary", find("workforce.leaver_multiplier_primary")->central, 8.9 / 9},
        {"secondary", find("workforce.leaver_multiplier_secondary")->central, 8.7 / 9},
        {"special", find("workforce.leaver_multiplier_special")->central, 10.5 / 9},
        {"fee", find("cost.fee_gbp")->central, 0.65 * 400 + 0.35 * 1050},
        {"hour of a teacher", find("cost.teacher_hour_gbp")->central, round(69774 / 126.5) / 10},
        {"EPI's pupil", find("epi.pv_gbp_per_pupil")->central, find("value.grade_gbp")->central * 2 / 3},
    };
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++)
        cr_expect_float_eq(rows[at].have, rows[at].want, 1e-12 * fmax(1, fabs(rows[at].want)), "%s: %.17g, not %.17g",
                           rows[at].what, rows[at].have, rows[at].want);
}

Test(parameters, the_document_counts_them_as_the_table_does)
{
    size_t count;
    unsigned of[3] = {0};
    const struct parameter *table = parameters_table(&count);
    for (size_t at = 0; at < count; at++) of[table[at].status]++;
    char want[160], have[8192] = "";
    snprintf(want, sizeof want, "Of %zu parameters %u were **published**, %u are **derived**", count,
             of[PARAMETER_PUBLISHED], of[PARAMETER_DERIVED]);
    FILE *file = fopen(GOLDTHREAD_SOURCE "/docs/parameters.md", "r");
    cr_assert_not_null(file);
    have[fread(have, 1, sizeof have - 1, file)] = '\0';
    fclose(file);
    cr_expect_not_null(strstr(have, want), "docs/parameters.md says: %s", want);
}
