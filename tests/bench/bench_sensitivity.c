/* A whole study on one core: Saltelli's design of ten parameters and three figures, with draws, model, sums, fold and
 * estimates with intervals. The model is Sobol's G function, so that next to nothing of the time is the model's.
 * bench_sensitivity [LOG2_DRAWS] [second] [delta]: 18 by default; `second` and `delta` add these estimates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "block.h"
#include "estimate.h"
#include "population.h"
#include "population_codec.h"

#define INPUTS    10
#define FIGURES   3
#define RSS_BOUND (512l << 10) /* KiB */
#define LEVELS    41

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static _Noreturn void stop(const char *why)
{
    fprintf(stderr, "bench_sensitivity: %s\n", why);
    exit(1);
}

/* --- the model: G to three powers, the same in every area --- */

struct model_run {
    size_t area_count;
};

static struct model_run *open_run(const struct model_setup *setup, char *why, size_t why_bytes)
{
    struct model_run *run = malloc(sizeof *run);
    if (!run) snprintf(why, why_bytes, "out of memory");
    else run->area_count = setup->area_count;
    return run;
}

static void close_run(struct model_run *run)
{
    free(run);
}

static const struct model_figure *list_figures(const struct model_run *run, size_t *figure_count)
{
    static const struct model_figure figures[FIGURES] = {{0, MODEL_YEAR_ALL}, {1, MODEL_YEAR_ALL}, {2, MODEL_YEAR_ALL}};
    (void)run;
    *figure_count = FIGURES;
    return figures;
}

static size_t count_parts(const struct model_run *run)
{
    (void)run;
    return 1;
}

static uint32_t run_draws(struct model_run *run, const model_lanes *values, model_lanes *parts)
{
    for (size_t lane = 0; lane < MODEL_LANES; lane++) parts[0][lane] = 1;
    for (size_t at = 0; at < INPUTS; at++) {
        double a = (double)at / 2;
        for (size_t lane = 0; lane < MODEL_LANES; lane++)
            parts[0][lane] *= (fabs(4 * values[at][lane] - 2) + a) / (1 + a);
    }
    for (size_t area = 1; area < run->area_count; area++) memcpy(parts[area], parts[0], sizeof parts[0]);
    return 0;
}

static void measure_area(const struct model_run *run, size_t area, const model_lanes *parts, const model_lanes *minus,
                         model_lanes *out)
{
    (void)run, (void)area, (void)minus;
    for (size_t lane = 0; lane < MODEL_LANES; lane++) {
        double y = parts[0][lane];
        out[0][lane] = y;
        out[1][lane] = y * y;
        out[2][lane] = y * y * y;
    }
}

static const struct model_measure measures[FIGURES] = {
    {"y", "", "G"}, {"square", "", "its square"}, {"cube", "", "its cube"}};
static struct parameter parameters[INPUTS];

static const struct model *make_model(void)
{
    static const char *const names[INPUTS] = {"x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10"};
    static const struct model model = {.abi = MODEL_ABI,
                                       .name = "g",
                                       .version = "1",
                                       .parameters = parameters,
                                       .parameter_count = INPUTS,
                                       .measures = measures,
                                       .measure_count = FIGURES,
                                       .open = open_run,
                                       .close = close_run,
                                       .figures = list_figures,
                                       .part_count = count_parts,
                                       .run = run_draws,
                                       .measure = measure_area};
    for (size_t at = 0; at < INPUTS; at++)
        parameters[at] = (struct parameter){.name = names[at],
                                            .symbol = names[at],
                                            .unit = "",
                                            .central = 0.5,
                                            .low = NAN,
                                            .high = NAN,
                                            .lower = 0,
                                            .upper = 1,
                                            .distribution = {.kind = DISTRIBUTION_UNIFORM, .low = 0, .high = 1},
                                            .source = "",
                                            .meaning = ""};
    return &model;
}

/* --- the sweep --- */

static void make_sweep(struct sweep *sweep, const struct model *model, uint64_t draws, uint32_t extras)
{
    *sweep = (struct sweep){.name = "bench",
                            .population_name = POPULATION_BUILT_IN,
                            .years = 1,
                            .first_year = 202526,
                            .seed = 1,
                            .method = DESIGN_SALTELLI,
                            .draws = draws,
                            .groups = 16,
                            .levels = 1u << AREA_ENGLAND,
                            .study = {.measure_count = FIGURES, .levels = 1u << AREA_ENGLAND, .extras = extras},
                            .parameter_count = INPUTS,
                            .scenario_count = 1};
    snprintf(sweep->model, SWEEP_NAME_BYTES, "%s", model->name);
    snprintf(sweep->model_version, SWEEP_NAME_BYTES, "%s", model->version);
    snprintf(sweep->scenarios[0].name, SWEEP_NAME_BYTES, "only");
    for (size_t at = 0; at < FIGURES; at++)
        snprintf(sweep->study.measures[at], sizeof sweep->study.measures[at], "%s", measures[at].name);
    for (size_t at = 0; at < INPUTS; at++) {
        snprintf(sweep->parameters[at].name, sizeof sweep->parameters[at].name, "%s", parameters[at].name);
        sweep->parameters[at].central = parameters[at].central;
        sweep->parameters[at].distribution = parameters[at].distribution;
    }
}

/* --- the study --- */

static struct node *run_blocks(const struct plan *plan)
{
    char why[512] = "";
    uint64_t failed, count = sweep_block_count(plan->sweep);
    uint32_t level = 0;
    while (UINT64_C(1) << level < count) level++;
    if (UINT64_C(1) << level != count) stop("blocks are no power of two");
    struct block_runner *runner = block_runner_new(plan, why, sizeof why);
    if (!runner) stop(why);
    struct node *root = block_run_tree(runner, level, 0, NULL, NULL, &failed);
    if (!root) stop("out of memory");
    block_runner_free(runner);
    return root;
}

static bool print_row(void *context, const struct estimate_row *row)
{
    size_t *rows = context;
    ++*rows;
    if (row->target == 0 && row->dimension < 3 && row->second < 3)
        printf("  %-6s %2d %2d  %9.6f  %9.6f to %9.6f\n", row->index, row->dimension, row->second, row->value, row->low,
               row->high);
    return true;
}

static void report(const struct plan *plan, double seconds)
{
    double runs = (double)plan->sweep->draws * sweep_rows(plan->sweep);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.0f model runs, %u draws a block, %zu sums, %zu counts: %.2f s, %.2f million model runs/s, %ld MiB\n",
           runs, plan->sweep->draws_per_block, plan->study.sum_count, plan->study.count_count, seconds,
           runs / seconds / 1e6, usage.ru_maxrss >> 10);
    if (usage.ru_maxrss > RSS_BOUND) stop("more than 512 MiB");
}

int main(int argc, char **argv)
{
    static struct sweep sweep;
    char why[512] = "";
    uint32_t extras = 0;
    int log2_draws = argc > 1 ? atoi(argv[1]) : 18;
    if (log2_draws < 9 || log2_draws >= LEVELS) stop("draws: 2^9 to 2^40");
    for (int at = 2; at < argc; at++) extras |= strcmp(argv[at], "second") ? STUDY_DELTA : STUDY_SECOND_ORDER;
    const struct model *model = make_model();
    struct population *population = population_built_in();
    double start = seconds_now();
    size_t rows = 0;
    make_sweep(&sweep, model, UINT64_C(1) << log2_draws, extras);
    struct plan *plan = plan_new(&sweep, population, model, why, sizeof why);
    if (!plan) stop(why);
    struct node *root = run_blocks(plan);
    double folded = seconds_now();
    if (!estimate_rows(&plan->study, root, 0.95, print_row, &rows)) stop("out of memory");
    printf("%zu estimates: %.3f s\n", rows, seconds_now() - folded);
    report(plan, seconds_now() - start);
    node_free(root);
    plan_free(plan);
    population_free(population);
    return 0;
}
