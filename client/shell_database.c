#include "shell_database.h"

#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "design.h"
#include "sensitivity_table.h"
#include "table.h"
#include "uncertainty.h"

/* No journal: the file is new, in a folder nobody looks at yet, and is synced as a whole at the end. */
static const char schema[] =
    "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA encoding = 'UTF-8';"
    "BEGIN;"
    "CREATE TABLE run (sweep TEXT NOT NULL, run TEXT NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL,"
    " goldthread TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL, population TEXT NOT NULL,"
    " population_digest TEXT NOT NULL, years INTEGER NOT NULL, first_year INTEGER NOT NULL, design TEXT NOT NULL,"
    " seed TEXT NOT NULL, draws INTEGER NOT NULL, failed_draws INTEGER NOT NULL);"
    "CREATE TABLE scenario (scenario TEXT NOT NULL, position INTEGER NOT NULL, parameter TEXT, value REAL);"
    "CREATE TABLE parameter (name TEXT PRIMARY KEY, symbol TEXT NOT NULL, unit TEXT NOT NULL, central REAL,"
    " distribution TEXT, status TEXT NOT NULL, source TEXT NOT NULL, meaning TEXT NOT NULL);"
    "CREATE TABLE rollup (scenario TEXT NOT NULL, area_code TEXT NOT NULL, area TEXT NOT NULL, phase TEXT NOT NULL,"
    " fsm6_quintile TEXT NOT NULL, year TEXT NOT NULL, measure TEXT NOT NULL, unit TEXT NOT NULL,"
    " statistic TEXT NOT NULL, value REAL);"
    "CREATE TABLE sensitivity (scenario TEXT NOT NULL, area_code TEXT NOT NULL, area TEXT NOT NULL,"
    " measure TEXT NOT NULL, unit TEXT NOT NULL, year TEXT NOT NULL, \"index\" TEXT NOT NULL, parameter TEXT NOT NULL,"
    " second_parameter TEXT NOT NULL, estimate REAL, low REAL, high REAL, n INTEGER NOT NULL, method TEXT NOT NULL);"
    "CREATE TABLE draws (draw INTEGER NOT NULL, scenario TEXT NOT NULL, area_code TEXT NOT NULL,"
    " measure TEXT NOT NULL, value REAL);";

static void bind_text(sqlite3_stmt *insert, int at, const char *text)
{
    sqlite3_bind_text(insert, at, text ? text : "", -1, SQLITE_STATIC);
}

/* NaN, undefined, is NULL: SQLite stores it so by itself, but this says it. */
static void bind_number(sqlite3_stmt *insert, int at, double value)
{
    if (isnan(value)) sqlite3_bind_null(insert, at);
    else sqlite3_bind_double(insert, at, value);
}

static bool finish_row(sqlite3_stmt *insert)
{
    bool sound = sqlite3_step(insert) == SQLITE_DONE;
    return sqlite3_reset(insert) == SQLITE_OK && sound;
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *insert = NULL;
    return sqlite3_prepare_v2(database, sql, -1, &insert, NULL) == SQLITE_OK ? insert : NULL;
}

static bool write_run(sqlite3 *database, const struct manifest *run)
{
    const struct sweep *sweep = run->sweep;
    sqlite3_stmt *insert = prepare(database, "INSERT INTO run VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    char ids[4][DIGEST_HEX_BYTES], seed[24];
    if (!insert) return false;
    digest_to_hex(&run->sweep_id, ids[0]);
    digest_to_hex(&run->run, ids[1]);
    digest_to_hex(&run->digest, ids[2]);
    digest_to_hex(&sweep->population, ids[3]);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)sweep->seed);
    const char *texts[] = {ids[0],
                           ids[1],
                           ids[2],
                           sweep->name,
                           GOLDTHREAD_VERSION,
                           sweep->model,
                           sweep->model_version,
                           sweep->population_name,
                           ids[3]};
    for (int at = 0; at < 9; at++) bind_text(insert, at + 1, texts[at]);
    sqlite3_bind_int64(insert, 10, sweep->years);
    sqlite3_bind_int64(insert, 11, sweep->first_year);
    bind_text(insert, 12, design_method_names[sweep->method]);
    bind_text(insert, 13, seed);
    sqlite3_bind_int64(insert, 14, (sqlite3_int64)run->ending.draws);
    sqlite3_bind_int64(insert, 15, (sqlite3_int64)run->failed_draws);
    bool sound = finish_row(insert);
    sqlite3_finalize(insert);
    return sound;
}

/* One row per setting; a scenario that sets nothing has one row without a parameter. */
static bool write_scenarios(sqlite3 *database, const struct sweep *sweep)
{
    sqlite3_stmt *insert = prepare(database, "INSERT INTO scenario VALUES (?,?,?,?)");
    bool sound = insert != NULL;
    for (uint32_t at = 0; sound && at < sweep->scenario_count; at++) {
        const struct sweep_scenario *scenario = &sweep->scenarios[at];
        bind_text(insert, 1, scenario->name);
        sqlite3_bind_int64(insert, 2, at);
        if (scenario->setting_count == 0) sound = finish_row(insert);
        for (uint32_t set = 0; sound && set < scenario->setting_count; set++) {
            bind_text(insert, 3, sweep->parameters[scenario->settings[set].parameter].name);
            bind_number(insert, 4, scenario->settings[set].value);
            sound = finish_row(insert);
        }
        if (insert) sqlite3_clear_bindings(insert);
    }
    sqlite3_finalize(insert);
    return sound;
}

static bool write_parameters(sqlite3 *database, const struct plan *plan)
{
    static const char *const statuses[] = {"published", "derived", "assumption"};
    sqlite3_stmt *insert = prepare(database, "INSERT INTO parameter VALUES (?,?,?,?,?,?,?,?)");
    bool sound = insert != NULL;
    for (uint32_t at = 0; sound && at < plan->sweep->parameter_count; at++) {
        const struct sweep_parameter *used = &plan->sweep->parameters[at];
        const struct parameter *row = &plan->model->parameters[at];
        char distribution[512];
        uncertainty_text(&used->distribution, distribution, sizeof distribution);
        bind_text(insert, 1, used->name);
        bind_text(insert, 2, row->symbol);
        bind_text(insert, 3, row->unit);
        bind_number(insert, 4, used->central);
        if (used->distribution.kind == DISTRIBUTION_FIXED) sqlite3_bind_null(insert, 5);
        else bind_text(insert, 5, distribution);
        bind_text(insert, 6, statuses[row->status]);
        bind_text(insert, 7, row->source);
        bind_text(insert, 8, row->meaning);
        sound = finish_row(insert);
    }
    sqlite3_finalize(insert);
    return sound;
}

static bool write_row(void *context, const struct table_row *row)
{
    sqlite3_stmt *insert = context;
    const char *texts[] = {row->scenario, row->area_code, row->area, row->phase,    row->quintile,
                           row->year,     row->measure,   row->unit, row->statistic};
    for (int at = 0; at < 9; at++) bind_text(insert, at + 1, texts[at]);
    bind_number(insert, 10, row->value);
    return finish_row(insert);
}

static bool write_rollup(sqlite3 *database, const struct plan *plan, const struct node *root)
{
    sqlite3_stmt *insert = prepare(database, "INSERT INTO rollup VALUES (?,?,?,?,?,?,?,?,?,?)");
    bool sound = insert && table_rows(plan, root, write_row, insert);
    sqlite3_finalize(insert);
    return sound;
}

static bool write_estimate(void *context, const struct sensitivity_row *row)
{
    sqlite3_stmt *insert = context;
    int at = 1;
    for (; at <= SENSITIVITY_TEXTS; at++) bind_text(insert, at, row->texts[at - 1]);
    bind_number(insert, at++, row->estimate);
    bind_number(insert, at++, row->low);
    bind_number(insert, at++, row->high);
    sqlite3_bind_int64(insert, at++, (sqlite3_int64)row->n);
    bind_text(insert, at, row->method);
    return finish_row(insert);
}

static bool write_sensitivity(sqlite3 *database, const struct plan *plan, const struct node *root)
{
    if (plan->study.target_count == 0) return true;
    sqlite3_stmt *insert = prepare(database, "INSERT INTO sensitivity VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    bool sound = insert && sensitivity_rows(plan, root, write_estimate, insert);
    sqlite3_finalize(insert);
    return sound;
}

/* The kept figures of one draw, unless it failed. */
static bool write_draw(sqlite3_stmt *insert, const struct plan *plan, const struct node *root, uint64_t draw)
{
    const double *kept = root->kept + draw * root->shape.width;
    bool sound = true;
    for (size_t at = 0; sound && at < root->shape.width && !isinf(kept[0]); at++) {
        const struct study_target *target = &plan->study.targets[at];
        char column[PLAN_COLUMN_NAME_BYTES];
        plan_column_name(plan, target->column, column, sizeof column);
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)draw);
        sqlite3_bind_text(insert, 2, column, -1, SQLITE_TRANSIENT);
        bind_text(insert, 3, plan->areas[target->area].code);
        bind_text(insert, 4, plan->model->measures[plan->figures[plan->kept[target->kept]].measure].name);
        bind_number(insert, 5, kept[at]);
        sound = finish_row(insert);
    }
    return sound;
}

static bool write_draws(sqlite3 *database, const struct plan *plan, const struct node *root)
{
    if (root->shape.width == 0 || root->draws > DATABASE_DRAWS_MAX / root->shape.width) return true;
    sqlite3_stmt *insert = prepare(database, "INSERT INTO draws VALUES (?,?,?,?,?)");
    bool sound = insert != NULL;
    for (uint64_t draw = 0; sound && draw < root->draws; draw++) sound = write_draw(insert, plan, root, draw);
    sqlite3_finalize(insert);
    return sound;
}

static void sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

bool database_write(const char *path, const struct manifest *run, const struct plan *plan, const struct node *root,
                    char *why, size_t why_bytes)
{
    sqlite3 *database = NULL;
    bool sound = sqlite3_open(path, &database) == SQLITE_OK &&
                 sqlite3_exec(database, schema, NULL, NULL, NULL) == SQLITE_OK && write_run(database, run) &&
                 write_scenarios(database, run->sweep) && write_parameters(database, plan) &&
                 write_rollup(database, plan, root) && write_sensitivity(database, plan, root) &&
                 write_draws(database, plan, root) && sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!sound) snprintf(why, why_bytes, "%s: %s", path, database ? sqlite3_errmsg(database) : "out of memory");
    sound = sqlite3_close(database) == SQLITE_OK && sound;
    if (sound) sync_file(path);
    return sound;
}
