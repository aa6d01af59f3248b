/* goldthread check: the plan of a scenario file, and how long it would take. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amount.h"
#include "block.h"
#include "design.h"
#include "digest.h"
#include "process.h"
#include "progress.h"
#include "setting.h"
#include "shell_commands.h"
#include "shell_database.h"
#include "shell_draws.h"
#include "shell_job.h"
#include "shell_json.h"
#include "table.h"
#include "uncertainty.h"

#define SAMPLE_US      200000 /* whole blocks are run until this has passed ... */
#define SAMPLE_MOST_US 500000 /* ... and a block that is not done by then is left */
#define SAMPLE_ROWS    20000  /* of the table that are looked at for its size */
#define VALUE_BYTES    14     /* of a value in the table, on average */

/* Blocks of the real model, run here to tell what all of them take. */
struct sample {
    uint64_t start_us, steps; /* steps: of the block that is running */
    double blocks;            /* done, with the part that was of one that was left */
    double seconds;
};

static bool is_enough(void *context)
{
    struct sample *sample = context;
    return ++sample->steps > 1 && clock_us() - sample->start_us > SAMPLE_MOST_US;
}

/* Rows and bytes of a table, as far as they were looked at. */
struct extent {
    uint64_t rows, bytes;
};

static bool measure_row(void *context, const struct table_row *row)
{
    struct extent *extent = context;
    const char *texts[] = {row->scenario, row->area_code, row->area, row->phase,    row->quintile,
                           row->year,     row->measure,   row->unit, row->statistic};
    extent->rows++;
    extent->bytes += VALUE_BYTES;
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) extent->bytes += strlen(texts[at]) + 1;
    return extent->rows < SAMPLE_ROWS;
}

/* Of kept draws: in their file parameters and figures, whose digits hardly compress, in results.db the figures. */
static double draws_bytes(const struct plan *plan)
{
    enum { PLAIN_BYTES = 20, COMPRESSED_BYTES = 10, DATABASE_BYTES = 48 };
    const uint64_t draws = plan->sweep->draws, width = plan->shape.width;
    if (width == 0) return 0;
    double numbers = (double)draws * (double)(width + plan->study.dimensions), figures = (double)draws * (double)width;
    double bytes = numbers * (draws <= DRAWS_PLAIN_MAX ? PLAIN_BYTES : COMPRESSED_BYTES);
    return bytes + (figures <= DATABASE_DRAWS_MAX ? figures * DATABASE_BYTES : 0);
}

/* Of the folder: rollup.csv has as many rows whatever the draws, and results.db holds them once more in much the same
 * space. NaN: out of memory. */
static double result_bytes(const struct plan *plan)
{
    struct extent extent = {0};
    struct node *empty = node_new(&plan->shape);
    if (empty) table_rows(plan, empty, measure_row, &extent);
    node_free(empty);
    double rows = (double)plan->shape.figures * (double)table_statistics(plan->sweep);
    return extent.rows ? 2 * rows * (double)extent.bytes / (double)extent.rows + draws_bytes(plan) : NAN;
}

static void run_sample(struct sample *sample, struct block_runner *runner, const struct job *job)
{
    uint64_t blocks = sweep_block_count(&job->scenario->sweep), failed;
    sample->start_us = clock_us();
    for (uint64_t block = 0; block < blocks && (block == 0 || clock_us() - sample->start_us < SAMPLE_US); block++) {
        sample->steps = 0;
        struct node *node = block_run_tree(runner, 0, block, is_enough, sample, &failed);
        sample->blocks += node ? 1 : (double)(sample->steps - 1) / (double)block_steps(runner);
        sample->seconds = (double)(clock_us() - sample->start_us) / 1e6;
        if (!node) break;
        node_free(node);
    }
}

static struct sample sample_open(const struct job *job)
{
    struct sample sample = {0};
    char why[256];
    struct block_runner *runner = block_runner_new(job->plan, why, sizeof why);
    if (runner) run_sample(&sample, runner, job);
    block_runner_free(runner);
    return sample;
}

/* Seconds that all blocks take with so many workers, of which no more run at once than there are processors. NaN: it
 * cannot be told. */
static double forecast(const struct job *job, const struct sample *sample, uint32_t workers)
{
    struct options every = {0};
    uint64_t blocks = sweep_block_count(&job->scenario->sweep), side_by_side = job_worker_count(&every);
    if (workers < side_by_side) side_by_side = workers;
    if (blocks < side_by_side) side_by_side = blocks;
    return sample->blocks > 0 ? sample->seconds / sample->blocks * (double)blocks / (double)side_by_side : NAN;
}

/* The uncertain parameters of the sweep; none for a point design. */
static bool is_uncertain(const struct sweep *sweep, uint32_t at)
{
    return sweep->method != DESIGN_POINT && sweep->parameters[at].distribution.kind != DISTRIBUTION_FIXED;
}

static void print_uncertain(const struct sweep *sweep)
{
    printf("uncertain parameters\n");
    for (uint32_t at = 0; at < sweep->parameter_count; at++) {
        char text[512];
        if (!is_uncertain(sweep, at)) continue;
        uncertainty_text(&sweep->parameters[at].distribution, text, sizeof text);
        printf("    %-36s %s\n", sweep->parameters[at].name, text);
    }
}

static void print_scenarios(const struct job *job)
{
    const struct sweep *sweep = &job->scenario->sweep;
    printf("scenarios, the baseline first\n");
    for (uint32_t at = 0; at < sweep->scenario_count; at++) {
        const struct sweep_scenario *scenario = &sweep->scenarios[at];
        printf("    %s\n", scenario->name);
        for (uint32_t set = 0; set < scenario->setting_count; set++) {
            const struct parameter *parameter = &job->scenario->model->parameters[scenario->settings[set].parameter];
            char text[64];
            setting_text(parameter, scenario->settings[set].value, text, sizeof text);
            printf("        %-36s %s\n", parameter->name, text);
        }
    }
}

static void print_forecast(const struct job *job, uint32_t workers, const struct sample *sample)
{
    double seconds = forecast(job, sample, workers);
    char duration[48], size[AMOUNT_BYTES];
    progress_duration(isnan(seconds) ? 0 : seconds, duration, sizeof duration);
    if (!isnan(seconds))
        printf("forecast   about %s with %u worker%s, from %.3g block%s run here in %.2f s\n", duration, workers,
               workers == 1 ? "" : "s", sample->blocks, sample->blocks == 1 ? "" : "s", sample->seconds);
    double bytes = result_bytes(job->plan);
    amount_text(bytes / 1e6, 2, size);
    if (!isnan(bytes)) printf("result     about %s MB\n", size);
}

/* What it comes to stands first. */
static void print_plan(const struct job *job, uint32_t workers, const struct sample *sample)
{
    const struct sweep *sweep = &job->scenario->sweep;
    char id[DIGEST_HEX_BYTES], figures[32], plan[256];
    digest_to_hex(&job->sweep, id);
    job_describe(job, plan, sizeof plan);
    progress_count(job->plan->shape.figures, figures, sizeof figures);
    printf("%s: sound\nplan       %s\n", job->path, plan);
    print_forecast(job, workers, sample);
    printf("sweep      %s %s\nmodel      %s %s\npopulation %s, %zu rows\n", sweep->name, id, sweep->model,
           sweep->model_version, sweep->population_name, job->population->count);
    if (job->plugin) {
        digest_to_hex(&job->plugin->digest, id);
        printf("model file %s, SHA-256 %s\n", job->model_path, id);
    }
    printf("design     %s, %u draw%s a block\noutputs    %s figures for %zu areas, %u years\n",
           design_method_names[sweep->method], sweep->draws_per_block, sweep->draws_per_block == 1 ? "" : "s", figures,
           job->plan->area_count, sweep->years);
    print_scenarios(job);
    print_uncertain(sweep);
}

static json_t *list_uncertain(const struct sweep *sweep)
{
    json_t *list = json_array();
    for (uint32_t at = 0; at < sweep->parameter_count; at++) {
        char text[512];
        if (!is_uncertain(sweep, at)) continue;
        uncertainty_text(&sweep->parameters[at].distribution, text, sizeof text);
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(sweep->parameters[at].name));
        json_object_set_new(row, "distribution", json_string(text));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *list_scenarios(const struct sweep *sweep)
{
    json_t *list = json_array();
    for (uint32_t at = 0; at < sweep->scenario_count; at++)
        json_array_append_new(list, json_string(sweep->scenarios[at].name));
    return list;
}

static json_t *list_notes(const struct scenario_file *scenario)
{
    json_t *list = json_array();
    for (size_t at = 0; at < scenario->note_count; at++) json_array_append_new(list, json_string(scenario->notes[at]));
    return list;
}

static enum exit_status print_json(const struct job *job, uint32_t workers, const struct sample *sample)
{
    const struct sweep *sweep = &job->scenario->sweep;
    char id[DIGEST_HEX_BYTES];
    digest_to_hex(&job->sweep, id);
    json_t *root = json_object();
    json_object_set_new(root, "sweep", json_string(id));
    json_object_set_new(root, "name", json_string(sweep->name));
    json_object_set_new(root, "model", json_string(sweep->model));
    json_object_set_new(root, "model_version", json_string(sweep->model_version));
    if (job->plugin) {
        digest_to_hex(&job->plugin->digest, id);
        json_object_set_new(root, "model_file", json_string(job->model_path));
        json_object_set_new(root, "model_sha256", json_string(id));
    }
    json_object_set_new(root, "population", json_string(sweep->population_name));
    json_object_set_new(root, "design", json_string(design_method_names[sweep->method]));
    json_object_set_new(root, "draws", json_integer((json_int_t)sweep->draws));
    json_object_set_new(root, "rows", json_integer(job->plan->study.rows));
    json_object_set_new(root, "model_runs", json_integer((json_int_t)job_model_runs(job)));
    json_object_set_new(root, "blocks", json_integer((json_int_t)sweep_block_count(sweep)));
    json_object_set_new(root, "draws_per_block", json_integer(sweep->draws_per_block));
    json_object_set_new(root, "figures", json_integer((json_int_t)job->plan->shape.figures));
    json_object_set_new(root, "areas", json_integer((json_int_t)job->plan->area_count));
    json_object_set_new(root, "years", json_integer(sweep->years));
    json_object_set_new(root, "workers", json_integer(workers));
    json_object_set_new(root, "forecast_seconds", amount_json(forecast(job, sample, workers)));
    json_object_set_new(root, "sample_seconds", json_real(sample->seconds));
    json_object_set_new(root, "sample_blocks", json_real(sample->blocks));
    double bytes = result_bytes(job->plan);
    json_object_set_new(root, "result_bytes", isnan(bytes) ? json_null() : json_integer((json_int_t)bytes));
    json_object_set_new(root, "scenarios", list_scenarios(sweep));
    json_object_set_new(root, "uncertain", list_uncertain(sweep));
    json_object_set_new(root, "notes", list_notes(job->scenario));
    return json_print(root, JSON_DIGITS);
}

enum exit_status command_check(const struct options *options)
{
    struct job job;
    char why[JOB_WHY_BYTES];
    enum exit_status status = STATUS_USAGE;
    if (job_open(&job, options, why)) {
        uint32_t workers = job_worker_count(options);
        struct sample sample = sample_open(&job);
        job_print_notes(&job, options);
        status = STATUS_DONE;
        if (options->json) status = print_json(&job, workers, &sample);
        else print_plan(&job, workers, &sample);
    } else {
        fprintf(stderr, "%s\n", why);
    }
    job_close(&job);
    return status;
}
