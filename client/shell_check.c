/* goldthread check: the plan of a scenario file, and how long it would take. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "block.h"
#include "digest.h"
#include "process.h"
#include "progress.h"
#include "setting.h"
#include "shell_commands.h"
#include "shell_job.h"
#include "shell_json.h"
#include "uncertainty.h"

#define SAMPLE_US 200000

/* Seconds that one process needs for one draw of every scenario: blocks are run until enough time has
 * passed to tell. NaN: the model refused. */
static double time_draw(const struct job *job, char *why, size_t why_bytes)
{
    struct block_runner *runner = block_runner_new(job->plan, why, why_bytes);
    if (!runner) return NAN;
    uint64_t draws = 0, start_us = clock_us(), blocks = sweep_block_count(&job->scenario->sweep);
    for (uint64_t block = 0; block < blocks && (block == 0 || clock_us() - start_us < SAMPLE_US); block++) {
        struct node *node = block_run(runner, block);
        if (!node) break;
        draws += node->draws;
        node_free(node);
    }
    double seconds = (double)(clock_us() - start_us) / 1e6;
    block_runner_free(runner);
    return draws ? seconds / (double)draws : NAN;
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

static void print_plan(const struct job *job, uint32_t workers, double seconds)
{
    const struct sweep *sweep = &job->scenario->sweep;
    char id[DIGEST_HEX_BYTES], draws[32], runs[32], blocks[32], figures[32];
    digest_to_hex(&job->sweep, id);
    progress_count(sweep->draws, draws, sizeof draws);
    progress_count(job_model_runs(job), runs, sizeof runs);
    progress_count(sweep_block_count(sweep), blocks, sizeof blocks);
    progress_count(job->plan->shape.figures, figures, sizeof figures);
    printf("%s: sound\nsweep      %s %s\nmodel      %s %s\npopulation %s, %zu rows\n", job->path, sweep->name, id,
           sweep->model, sweep->model_version, sweep->population_name, job->population->count);
    if (job->plugin) {
        digest_to_hex(&job->plugin->digest, id);
        printf("model file %s, SHA-256 %s\n", job->model_path, id);
    }
    printf("design     %s, %s draws x %u scenarios = %s model runs\n", scenario_design_name(sweep->method), draws,
           sweep->scenario_count, runs);
    printf("blocks     %s of %u draws\noutputs    %s figures for %zu areas, %u years\n", blocks, sweep->draws_per_block,
           figures, job->plan->area_count, sweep->years);
    if (isfinite(seconds)) printf("forecast   about %.2g s with %u workers\n", seconds, workers);
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

static enum exit_status print_json(const struct job *job, uint32_t workers, double seconds)
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
    json_object_set_new(root, "design", json_string(scenario_design_name(sweep->method)));
    json_object_set_new(root, "draws", json_integer((json_int_t)sweep->draws));
    json_object_set_new(root, "model_runs", json_integer((json_int_t)job_model_runs(job)));
    json_object_set_new(root, "blocks", json_integer((json_int_t)sweep_block_count(sweep)));
    json_object_set_new(root, "draws_per_block", json_integer(sweep->draws_per_block));
    json_object_set_new(root, "figures", json_integer((json_int_t)job->plan->shape.figures));
    json_object_set_new(root, "areas", json_integer((json_int_t)job->plan->area_count));
    json_object_set_new(root, "years", json_integer(sweep->years));
    json_object_set_new(root, "workers", json_integer(workers));
    json_object_set_new(root, "forecast_seconds", isfinite(seconds) ? json_real(seconds) : json_null());
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
        double seconds = time_draw(&job, why, sizeof why) * (double)job.scenario->sweep.draws / workers;
        job_print_notes(&job, options);
        status = STATUS_DONE;
        if (options->json) status = print_json(&job, workers, seconds);
        else print_plan(&job, workers, seconds);
    } else {
        fprintf(stderr, "%s\n", why);
    }
    job_close(&job);
    return status;
}
