#include "shell_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"
#include "rows.h"
#include "sensitivity_table.h"
#include "shell_database.h"
#include "shell_draws.h"
#include "shell_files.h"

#define ROLLUP_NAME       "rollup.csv"
#define SENSITIVITY_NAME  "sensitivity.csv"
#define BOXES_NAME        "boxes.csv"
#define DATABASE_NAME     "results.db"
#define SCENARIO_NAME     "sweep.yaml"
#define NAMES_MAX         100
#define STAGE             ".stage-"
#define DATABASE_PATH_MAX 511 /* bytes of an absolute path that SQLite opens */

/* Whether the stage at the descriptor is nobody's: the run that makes one holds its lock until the end. */
static bool is_abandoned(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Removes what runs that were killed outright have left in a folder: stages whose name begins so. */
static void clear_stages(const char *folder, const char *begin)
{
    DIR *list = opendir(folder);
    if (!list) return;
    for (struct dirent *entry; (entry = readdir(list));) {
        if (strncmp(entry->d_name, begin, strlen(begin)) != 0) continue;
        char path[PATH_MAX + 256];
        int fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (is_abandoned(fd)) folder_remove(path);
        close(fd);
    }
    closedir(list);
}

/* SQLite opens no path that is longer; better said before the work than after it. */
static bool is_too_long(const char *folder)
{
    char here[PATH_MAX];
    size_t above = folder[0] == '/' ? 0 : getcwd(here, sizeof here) ? strlen(here) + 1 : PATH_MAX;
    return above + strlen(folder) + strlen(STAGE "XXXXXX/" DATABASE_NAME) + SWEEP_NAME_BYTES > DATABASE_PATH_MAX;
}

bool output_check(const struct options *options, char *why, size_t why_bytes)
{
    const char *folder = options->out ? options->out : "results";
    if (is_too_long(folder)) {
        snprintf(why, why_bytes, "%s%.64s...: the path is too long; give one below %d bytes with --out",
                 options->out ? "--out " : "", folder, DATABASE_PATH_MAX - 100);
        return false;
    }
    if (options->out) clear_stages(folder, STAGE);
    enum folder_kind kind = folder_look(folder);
    if (options->out && kind == FOLDER_FULL) {
        snprintf(why, why_bytes, "--out %.512s: the folder is not empty; give a new or an empty one", folder);
        return false;
    }
    if (kind != FOLDER_NONE && strlen(folder) < PATH_MAX - 256 && folder_can_hold(folder)) return true;
    snprintf(why, why_bytes, "%s%.512s cannot be written to; give a folder that can with --out",
             options->out ? "--out " : "", folder);
    return false;
}

static void add_word(struct manifest *manifest, const char *word)
{
    if (manifest->word_count < MANIFEST_WORDS_MAX) manifest->words[manifest->word_count++] = word;
}

static void add_option(struct manifest *manifest, const char *name, const char *value)
{
    if (!value) return;
    add_word(manifest, name);
    add_word(manifest, value);
}

/* What to type inside the folder to get the same run again. */
static void describe_command(struct manifest *manifest, const struct options *options, const struct job *job)
{
    add_word(manifest, "goldthread");
    add_word(manifest, "run");
    add_word(manifest, SCENARIO_NAME);
    if (*job->population_path) add_option(manifest, "--population", job->population_path);
    else if (options->population) add_option(manifest, "--population", options->population);
    for (size_t at = 0; at < options->overrides.set_count; at++)
        add_option(manifest, "--set", options->overrides.sets[at]);
    add_option(manifest, "--design", options->overrides.design);
    add_option(manifest, "--draws", options->overrides.draws);
    add_option(manifest, "--seed", options->overrides.seed);
}

static void add_file(struct manifest *manifest, const char *name, struct span bytes, size_t rows)
{
    struct manifest_file *file = &manifest->files[manifest->file_count++];
    snprintf(file->name, sizeof file->name, "%s", name);
    file->bytes = bytes.size;
    file->rows = rows;
    file->sha256 = digest_of(bytes);
}

/* A file that is written already. */
static bool add_written(struct manifest *manifest, const char *folder, const char *name, size_t rows, char *why,
                        size_t why_bytes)
{
    char path[PATH_MAX + 32];
    struct manifest_file *file = &manifest->files[manifest->file_count];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_digest(path, &file->bytes, &file->sha256, why, why_bytes)) return false;
    snprintf(file->name, sizeof file->name, "%s", name);
    file->rows = rows;
    manifest->file_count++;
    return true;
}

static bool write_database(struct manifest *manifest, const char *folder, const struct job *job,
                           const struct node *root, size_t rows, char *why, size_t why_bytes)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", folder, DATABASE_NAME);
    return database_write(path, manifest, job->plan, root, why, why_bytes) &&
           add_written(manifest, folder, DATABASE_NAME, rows, why, why_bytes);
}

static bool write_table(struct manifest *manifest, const char *folder, const char *name, struct span csv, char *why,
                        size_t why_bytes)
{
    if (!file_write(folder, name, csv, why, why_bytes)) return false;
    add_file(manifest, name, csv, rows_count(csv));
    return true;
}

static bool write_sensitivity(struct manifest *manifest, const char *folder, const struct job *job,
                              const struct node *root, char *why, size_t why_bytes)
{
    struct buffer csv = {0};
    if (job->plan->study.target_count == 0) return true;
    bool sound = sensitivity_csv(job->plan, root, &csv);
    if (!sound) snprintf(why, why_bytes, "out of memory");
    sound = sound && write_table(manifest, folder, SENSITIVITY_NAME, buffer_span(&csv), why, why_bytes);
    buffer_free(&csv);
    return sound;
}

static bool write_draws(struct manifest *manifest, const char *folder, const struct job *job, const struct node *root,
                        char *why, size_t why_bytes)
{
    if (root->shape.width == 0) return true;
    const char *name = draws_file_name(root->draws);
    return draws_write(folder, name, job->plan, root, why, why_bytes) &&
           add_written(manifest, folder, name, root->draws, why, why_bytes);
}

static bool write_files(struct output *output, const char *folder, const struct job *job, const struct result *result,
                        char *why, size_t why_bytes)
{
    struct manifest *manifest = &output->manifest;
    struct buffer text = {0};
    const struct node *root = result->root;
    struct span boxes = buffer_span(&result->boxes->csv);
    bool sound = write_table(manifest, folder, ROLLUP_NAME, result->csv, why, why_bytes) &&
                 write_sensitivity(manifest, folder, job, root, why, why_bytes) &&
                 (boxes.size == 0 || write_table(manifest, folder, BOXES_NAME, boxes, why, why_bytes)) &&
                 write_draws(manifest, folder, job, root, why, why_bytes) &&
                 write_database(manifest, folder, job, root, rows_count(result->csv), why, why_bytes) &&
                 file_write(folder, SCENARIO_NAME, buffer_span(&job->file), why, why_bytes);
    if (!sound) return false;
    add_file(manifest, SCENARIO_NAME, buffer_span(&job->file), 0);
    if (!manifest_write(manifest, &text)) snprintf(why, why_bytes, "out of memory");
    sound = !text.failed && text.size && file_write(folder, MANIFEST_NAME, buffer_span(&text), why, why_bytes);
    buffer_free(&text);
    folder_sync(folder);
    return sound;
}

/* Takes the lock that says the stage is in use. False: it was removed before, as abandoned. */
static bool lock_stage(const char *stage, int *lock)
{
    struct stat held, named;
    *lock = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ours = *lock >= 0 && flock(*lock, LOCK_EX) == 0 && fstat(*lock, &held) == 0 && stat(stage, &named) == 0 &&
                held.st_ino == named.st_ino;
    if (!ours && *lock >= 0) close(*lock);
    return ours;
}

static bool make_locked(const char *pattern, char stage[PATH_MAX], int *lock)
{
    for (int tries = 0; tries < NAMES_MAX; tries++) {
        snprintf(stage, PATH_MAX, "%.4090s", pattern);
        if (!mkdtemp(stage)) return false;
        if (lock_stage(stage, lock)) return true;
    }
    return false;
}

/* The stage is made inside an empty folder that is there, or beside one to be. The caller closes `lock`. */
static bool make_stage(const struct output *output, bool inside, char stage[PATH_MAX], int *lock, char *why,
                       size_t why_bytes)
{
    char parent[PATH_MAX], begin[PATH_MAX], pattern[PATH_MAX + 16];
    const char *slash = strrchr(output->folder, '/');
    snprintf(parent, sizeof parent, "%s", output->folder);
    if (slash) parent[slash > output->folder ? slash - output->folder : 1] = '\0';
    else snprintf(parent, sizeof parent, ".");
    if (!inside && !folder_make(parent, 0777, why, why_bytes)) return false;
    snprintf(begin, sizeof begin, "%.4000s" STAGE, inside ? "" : slash ? slash + 1 : output->folder);
    clear_stages(inside ? output->folder : parent, begin);
    snprintf(pattern, sizeof pattern, "%.4000s%s" STAGE "XXXXXX", output->folder, inside ? "/" : "");
    if (make_locked(pattern, stage, lock)) {
        mode_t mask = umask(0);
        umask(mask);
        chmod(stage, 0777 & ~mask);
        return true;
    }
    snprintf(why, why_bytes, "%s: %s", output->folder, strerror(errno));
    return false;
}

static bool move(const char *from, const char *to, char *why, size_t why_bytes)
{
    if (rename(from, to) == 0) return true;
    snprintf(why, why_bytes, "%s: %s", to, strerror(errno));
    return false;
}

static bool move_files(const struct output *output, const char *stage, char *why, size_t why_bytes)
{
    char from[PATH_MAX + MANIFEST_NAME_BYTES], to[PATH_MAX + MANIFEST_NAME_BYTES];
    bool sound = true;
    size_t count = output->manifest.file_count, moved = 0;
    for (; sound && moved <= count; moved++) {
        const char *name = moved < count ? output->manifest.files[moved].name : MANIFEST_NAME;
        snprintf(from, sizeof from, "%s/%s", stage, name);
        snprintf(to, sizeof to, "%s/%s", output->folder, name);
        sound = move(from, to, why, why_bytes);
    }
    for (size_t at = 0; !sound && at < moved && at < count; at++) {
        snprintf(to, sizeof to, "%s/%s", output->folder, output->manifest.files[at].name);
        unlink(to);
    }
    return sound;
}

static void trim_slashes(char *path)
{
    for (size_t size = strlen(path); size > 1 && path[size - 1] == '/'; size--) path[size - 1] = '\0';
}

bool output_check_file(const char *folder, const struct manifest_file *file, struct buffer *bytes, char *why,
                       size_t why_bytes)
{
    char path[PATH_MAX + MANIFEST_NAME_BYTES], reason[256];
    struct digest digest;
    uint64_t size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    bool read = bytes ? file_read(path, file->bytes, bytes, reason, sizeof reason)
                      : file_digest(path, &size, &digest, reason, sizeof reason);
    if (!read) {
        snprintf(why, why_bytes, "%s cannot be read: %s", file->name, reason);
        return false;
    }
    if (bytes) {
        size = bytes->size;
        digest = digest_of(buffer_span(bytes));
    }
    if (size == file->bytes && digest_equal(&digest, &file->sha256)) return true;
    snprintf(why, why_bytes, "%s was altered: its SHA-256 is not the manifest's", file->name);
    return false;
}

/* Whether the folder holds this very run, whole and unaltered. */
static bool holds_run(const char *folder, const struct digest *run)
{
    char path[PATH_MAX + 32], why[512], hex[DIGEST_HEX_BYTES];
    struct buffer bytes = {0};
    struct manifest_read manifest;
    snprintf(path, sizeof path, "%s/%s", folder, MANIFEST_NAME);
    digest_to_hex(run, hex);
    bool same = file_read(path, 1u << 20, &bytes, why, sizeof why) &&
                manifest_parse(buffer_span(&bytes), &manifest, why, sizeof why) && strcmp(manifest.run, hex) == 0;
    buffer_free(&bytes);
    for (size_t at = 0; same && at < manifest.file_count; at++)
        same = output_check_file(folder, &manifest.files[at], NULL, why, sizeof why);
    return same;
}

/* results/NAME-DIGEST8; with a number behind it when something else has that name. True: this run is there. */
static bool choose_folder(struct output *output)
{
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&output->manifest.digest, hex);
    for (int at = 1; at < NAMES_MAX; at++) {
        char number[16] = "";
        if (at > 1) snprintf(number, sizeof number, "-%d", at);
        snprintf(output->folder, sizeof output->folder, "results/%s-%.8s%s", output->manifest.sweep->name, hex, number);
        if (folder_look(output->folder) != FOLDER_FULL) return false;
        if (holds_run(output->folder, &output->manifest.run)) return true;
    }
    return false;
}

/* Moves the stage to the first name that is free. Another run may take that name in between; it is looked
 * at again then, and when it holds this very run the stage is not needed. */
static bool move_to_default(struct output *output, const char *stage, char *why, size_t why_bytes)
{
    for (int tries = 0; tries < NAMES_MAX; tries++) {
        if (choose_folder(output)) return true;
        if (rename(stage, output->folder) == 0) return true;
        if (errno != ENOTEMPTY && errno != EEXIST) break;
    }
    snprintf(why, why_bytes, "%s: %s", output->folder, strerror(errno));
    return false;
}

bool output_write(struct output *output, const struct options *options, const struct job *job,
                  const struct result *result, char *why, size_t why_bytes)
{
    const struct sweep *sweep = &job->scenario->sweep;
    *output = (struct output){.manifest = {.sweep = sweep,
                                           .sweep_id = job->sweep,
                                           .run = manifest_run(sweep, &job->sweep, &result->digest),
                                           .digest = result->digest,
                                           .ending = ending_of(job->plan, result->root),
                                           .failed_draws = result->root->failed_draws}};
    describe_command(&output->manifest, options, job);
    if (options->out) snprintf(output->folder, sizeof output->folder, "%s", options->out);
    else choose_folder(output);
    trim_slashes(output->folder);
    char stage[PATH_MAX];
    int lock = -1;
    bool inside = options->out && folder_look(output->folder) == FOLDER_EMPTY;
    if (!make_stage(output, inside, stage, &lock, why, why_bytes)) return false;
    bool sound = write_files(output, stage, job, result, why, why_bytes);
    if (sound && inside) sound = move_files(output, stage, why, why_bytes);
    else if (sound && options->out) sound = move(stage, output->folder, why, why_bytes);
    else if (sound) sound = move_to_default(output, stage, why, why_bytes);
    folder_remove(stage);
    close(lock);
    folder_sync(inside ? output->folder : ".");
    return sound;
}
