/* goldthread run: a whole sweep on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "boxes.h"
#include "comparison.h"
#include "drivers.h"
#include "headline.h"
#include "process.h"
#include "shell_cluster.h"
#include "shell_commands.h"
#include "shell_files.h"
#include "shell_json.h"
#include "shell_output.h"
#include "sweep_codec.h"
#include "table.h"

#define REDRAW_MS       100
#define LINE_MS         3000
#define COLUMNS_DEFAULT 100

/* Progress on stderr: one line redrawn on a terminal, a line now and then elsewhere. */
struct display {
    bool is_quiet, is_terminal, is_drawn;
    uint64_t due_ms;
};

static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1u : COLUMNS_DEFAULT;
}

static struct display display_open(const struct options *options)
{
    bool is_terminal = isatty(STDERR_FILENO);
    return (struct display){
        .is_quiet = options->quiet, .is_terminal = is_terminal, .due_ms = is_terminal ? 0 : clock_ms() + LINE_MS};
}

static void display_show(struct display *display, const struct progress *progress)
{
    uint64_t now_ms = clock_ms();
    if (display->is_quiet || now_ms < display->due_ms) return;
    char line[256];
    progress_line(progress, display->is_terminal ? terminal_columns() : sizeof line, line, sizeof line);
    fprintf(stderr, display->is_terminal ? "\r%s\033[K" : "%s\n", line);
    display->is_drawn = true;
    display->due_ms = now_ms + (display->is_terminal ? REDRAW_MS : LINE_MS);
}

/* Takes the line away, so that what follows stands alone. */
static void display_close(struct display *display)
{
    if (display->is_terminal && display->is_drawn) fprintf(stderr, "\r\033[K");
}

struct report {
    const struct boxes *boxes;
    uint64_t done, failed, cached, model_runs;
    uint32_t workers;
    double seconds;
};

static json_t *list_files(const struct output *output)
{
    json_t *list = json_array();
    for (size_t at = 0; at <= output->manifest.file_count; at++) {
        char path[PATH_MAX + MANIFEST_NAME_BYTES];
        const char *name = at < output->manifest.file_count ? output->manifest.files[at].name : MANIFEST_NAME;
        snprintf(path, sizeof path, "%s/%s", output->folder, name);
        json_array_append_new(list, json_string(path));
    }
    return list;
}

static json_t *hex(const struct digest *digest)
{
    char text[DIGEST_HEX_BYTES];
    digest_to_hex(digest, text);
    return json_string(text);
}

static enum exit_status print_json(const struct output *output, const struct job *job, const struct node *tree,
                                   const struct drivers *drivers, const struct report *report)
{
    json_t *root = json_object(), *blocks = json_object();
    json_object_set_new(blocks, "done", json_integer((json_int_t)report->done));
    json_object_set_new(blocks, "failed", json_integer((json_int_t)report->failed));
    json_object_set_new(blocks, "cached", json_integer((json_int_t)report->cached));
    json_object_set_new(root, "sweep", hex(&output->manifest.sweep_id));
    json_object_set_new(root, "run", hex(&output->manifest.run));
    json_object_set_new(root, "digest", hex(&output->manifest.digest));
    json_object_set_new(root, "draws", json_integer((json_int_t)output->manifest.ending.draws));
    json_object_set_new(root, "stopped", ending_describe(&output->manifest.ending));
    json_object_set_new(root, "failed_draws", json_integer((json_int_t)output->manifest.failed_draws));
    json_object_set_new(root, "model_runs", json_integer((json_int_t)report->model_runs));
    json_object_set_new(root, "blocks", blocks);
    json_object_set_new(root, "seconds", json_real(report->seconds));
    json_object_set_new(root, "workers", json_integer(report->workers));
    json_object_set_new(root, "files", list_files(output));
    if (job->plan->study.target_count > 0 || drivers->failed) drivers_describe(drivers, root);
    comparison_describe(job->plan, tree, root);
    if (report->boxes->list) json_object_set(root, "boxes", report->boxes->list);
    return json_print(root, 6);
}

static void print_text(const struct output *output, const struct job *job, const struct node *root,
                       const struct drivers *drivers, const struct report *report)
{
    struct buffer table = {0};
    char id[DIGEST_HEX_BYTES], runs[32], ending[ENDING_BYTES];
    headline_write(job->plan, root, &table);
    comparison_write(job->plan, root, &table);
    drivers_write(drivers, &table);
    buffer_append(&table, report->boxes->text.data, report->boxes->text.size);
    fwrite(table.data, 1, table.size, stdout);
    buffer_free(&table);
    progress_count(report->model_runs, runs, sizeof runs);
    ending_line(&output->manifest.ending, ending);
    digest_to_hex(&output->manifest.digest, id);
    if (*ending) printf("\n%s\n", ending);
    printf("\n%s model runs in %.2f s with %u workers", runs, report->seconds, report->workers);
    if (report->cached) printf("; %llu blocks from an earlier run", (unsigned long long)report->cached);
    if (root->failed_draws) printf("; %llu draws failed", (unsigned long long)root->failed_draws);
    printf("\ndigest %s\n", id);
    for (size_t at = 0; at < output->manifest.file_count; at++)
        printf("%s/%s\n", output->folder, output->manifest.files[at].name);
    printf("%s/%s\n", output->folder, MANIFEST_NAME);
}

/* Draws that the model gave up in some scenario count in no statistic. When no draw is left, there is no result. */
static enum exit_status report_failed_draws(const struct node *root)
{
    if (root->failed_draws == 0) return STATUS_DONE;
    fprintf(stderr,
            "goldthread run: %llu of %llu draws failed: the model could not compute some scenario of them; look for "
            "extreme values of parameters\n",
            (unsigned long long)root->failed_draws, (unsigned long long)root->draws);
    return root->failed_draws < root->draws ? STATUS_DONE : STATUS_FAILED;
}

static enum exit_status print(const struct output *output, const struct job *job, const struct node *root,
                              const struct report *report, const struct options *options)
{
    struct drivers drivers;
    enum exit_status status = STATUS_DONE;
    if (!drivers_find(&drivers, job->plan, root)) {
        fprintf(stderr, "goldthread run: out of memory\n");
        status = STATUS_FAILED;
    } else if (options->json) {
        status = print_json(output, job, root, &drivers, report);
    } else {
        print_text(output, job, root, &drivers, report);
    }
    drivers_free(&drivers);
    return status;
}

/* Renders the table here and compares it with the digest that the aggregator made: the figures that are
 * written are the figures that were agreed on. */
static bool write_out(struct output *output, const struct cluster *cluster, const struct job *job,
                      const struct boxes *boxes, const struct options *options, char *why, size_t why_bytes)
{
    struct buffer csv = {0};
    snprintf(why, why_bytes, "out of memory");
    bool sound = table_csv(job->plan, cluster->root, &csv);
    struct digest digest = digest_of(buffer_span(&csv));
    if (sound && !digest_equal(&digest, &cluster->digest)) {
        snprintf(why, why_bytes, "the table made here differs from the aggregator's; are all programs of one version?");
        sound = false;
    }
    struct result result = {cluster->root, boxes, buffer_span(&csv), digest};
    sound = sound && output_write(output, options, job, &result, why, why_bytes);
    buffer_free(&csv);
    return sound;
}

static enum exit_status finish(struct cluster *cluster, const struct job *job, const struct options *options)
{
    char why[PATH_MAX + 512] = "out of memory";
    struct output output;
    struct boxes boxes;
    enum exit_status status = STATUS_FAILED;
    bool sound = boxes_find(&boxes, job->plan, cluster->root) &&
                 write_out(&output, cluster, job, &boxes, options, why, sizeof why);
    struct report report = {.boxes = &boxes,
                            .done = cluster->progress.done,
                            .failed = cluster->progress.failed,
                            .cached = cluster->progress.at_start,
                            .model_runs = cluster->root->draws * job_draw_runs(job),
                            .workers = cluster->worker_count,
                            .seconds = (double)(clock_ms() - cluster->start_ms) / 1000};
    if (sound) status = print(&output, job, cluster->root, &report, options);
    else fprintf(stderr, "goldthread run: %s\n", why);
    boxes_free(&boxes);
    return status;
}

static enum cluster_status follow(struct cluster *cluster, const struct options *options)
{
    char plan[256];
    job_describe(cluster->job, plan, sizeof plan);
    if (!options->quiet) fprintf(stderr, "%s\n", plan);
    struct display display = display_open(options);
    enum cluster_status status;
    while ((status = cluster_step(cluster)) == CLUSTER_RUNNING) display_show(&display, &cluster->progress);
    display_close(&display);
    return status;
}

/* A broker that remembers a failure would repeat it. The aggregator's store is the record of what was
 * done; an empty broker learns it from there. */
static void forget_failure(const struct state *state)
{
    char journal[PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/broker", state->folder);
    folder_remove(journal);
}

static enum exit_status compute(struct cluster *cluster, const struct job *job, struct state *state,
                                const struct options *options)
{
    switch (follow(cluster, options)) {
    case CLUSTER_DONE:
        cluster_stop(cluster);
        return finish(cluster, job, options);
    case CLUSTER_INTERRUPTED:
        cluster_stop(cluster);
        fprintf(stderr,
                "goldthread run: interrupted with %llu of %llu blocks done; the same command goes on from there\n",
                (unsigned long long)cluster->progress.done, (unsigned long long)cluster->progress.blocks);
        return STATUS_INTERRUPTED;
    default:
        cluster_stop(cluster);
        forget_failure(state);
        fprintf(stderr, "goldthread run: %s\n", cluster->why);
        return STATUS_FAILED;
    }
}

static enum exit_status run_job(const struct job *job, const struct options *options, int stop_fd)
{
    struct state state;
    struct cluster cluster;
    char why[PATH_MAX + 256];
    const struct digest family = options->fresh ? (struct digest){{0}} : sweep_family(&job->scenario->sweep);
    const bool keeps = !digest_is_zero(&family);
    if (!state_open(&state, keeps ? &family : &job->sweep, &job->sweep, why, sizeof why)) {
        fprintf(stderr, "goldthread run: %s\n", why);
        return STATUS_FAILED;
    }
    enum exit_status status = STATUS_FAILED;
    if (cluster_open(&cluster, job, &state, job_worker_count(options), options->block_seconds, stop_fd))
        status = compute(&cluster, job, &state, options);
    else fprintf(stderr, "goldthread run: %s\n", cluster.why);
    bool keep = status != STATUS_DONE && !state.is_private && (cluster.progress.done > 0 || state.is_resumed);
    if (keep && status == STATUS_FAILED)
        fprintf(stderr,
                "goldthread run: what was done is kept in %s; the same command goes on from there, or starts afresh "
                "when that folder is removed\n",
                state.folder);
    if (status == STATUS_DONE) status = report_failed_draws(cluster.root);
    cluster_close(&cluster);
    state_close(&state, keep ? STATE_STAYS : keeps && status == STATUS_DONE ? STATE_IS_KEPT : STATE_GOES);
    return status;
}

enum exit_status command_run(const struct options *options)
{
    struct job job;
    char why[JOB_WHY_BYTES];
    int stop_fd = process_stop_fd();
    if (stop_fd < 0) {
        fprintf(stderr, "goldthread run: signals cannot be taken\n");
        return STATUS_FAILED;
    }
    enum exit_status status = STATUS_USAGE;
    if (!job_open(&job, options, why) || !output_check(options, why, sizeof why)) {
        fprintf(stderr, "%s\n", why);
    } else {
        job_print_notes(&job, options);
        status = run_job(&job, options, stop_fd);
    }
    job_close(&job);
    close(stop_fd);
    return status;
}
