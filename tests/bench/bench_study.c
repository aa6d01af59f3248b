/* A sensitivity study through the whole pipeline: `goldthread run` with its broker, aggregator and workers. Prints
 * seconds, model runs a second and the peak memory of every process, and fails when one needs more than 512 MiB.
 * bench_study [LOG2_DRAWS] [WORKERS]: 18 and 2 by default. */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RSS_BOUND_KIB (512l << 10)
#define CHILDREN_MAX  72
#define LOOK_MS       20 /* at the memory of the children */
#define PATIENCE_S    3600

/* Saltelli's design over ten parameters, first-order and total indices with intervals from 16 replicates. */
static const struct study {
    const char *what, *text; /* text: with the folder of models and the draws to fill in */
    uint64_t runs;           /* of the model, for each draw */
} studies[] = {
    {"Sobol's G, 10 parameters, its figure in 10 areas",
     "sweep: bench-g\nmodel: \"%s/sobol_g10.so\"\nscenarios: [{name: f}]\ndesign: {method: saltelli, draws: %llu}\n"
     "sensitivity: {measures: [\"y\"]}\noutputs: {areas: [england, region], quantiles: [0.05, 0.95]}\n",
     12},
    {"the policy model, 10 parameters, 3 measures for England",
     "sweep: bench-policy\nmodel: entitlement #%s\nscenarios: [{name: none}, {name: policy, set: "
     "{entitlement.funded_years: 4}}]\ndesign: {method: saltelli, draws: %llu}\n"
     "uncertain:\n"
     "  effect.attainment_sd: {triangular: [0.0, 0.05, 0.12]}\n"
     "  effect.implementation: {beta: [0.2, 0.5, 1.0]}\n"
     "  effect.hours: {uniform: [10, 30]}\n"
     "  effect.dose_exponent: {uniform: [0.4, 1.0]}\n"
     "  effect.teacher_decay: {uniform: [0.05, 0.3]}\n"
     "  effect.pupil_persistence: {uniform: [0.3, 0.8]}\n"
     "  value.grades_per_sd: {uniform: [8, 14]}\n"
     "  value.exchequer_share: {uniform: [0.28, 0.38]}\n"
     "  retention.full_dose: {uniform: [0.0, 0.02]}\n"
     "  cost.replacement_gbp: {uniform: [15000, 35000]}\n"
     "sensitivity: {measures: [exchequer_ratio, bcr, kept_fte]}\n"
     "outputs: {areas: [england], measures: [exchequer_ratio, bcr, kept_fte], quantiles: [0.05, 0.95]}\n",
     24},
};

/* A child of the run, by the most memory that it was seen with. */
struct child {
    pid_t pid;
    char name[32];
    long peak_kib;
};

static _Noreturn void stop(const char *why)
{
    fprintf(stderr, "bench_study: %s\n", why);
    exit(1);
}

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Name, parent and peak of a process. False: it has ended. */
static bool read_status(pid_t pid, struct child *child, pid_t *parent)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    *child = (struct child){.pid = pid};
    *parent = 0;
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "Name: %31s", child->name);
        sscanf(line, "PPid: %d", parent);
        sscanf(line, "VmHWM: %ld", &child->peak_kib);
    }
    if (file) fclose(file);
    return child->peak_kib > 0;
}

static size_t note(struct child *children, size_t count, const struct child *seen)
{
    for (size_t at = 0; at < count; at++) {
        if (children[at].pid != seen->pid) continue;
        if (seen->peak_kib > children[at].peak_kib) children[at] = *seen;
        return count;
    }
    if (count == CHILDREN_MAX) stop("more programs than expected");
    children[count] = *seen;
    return count + 1;
}

static size_t look_at_children(pid_t run, struct child *children, size_t count)
{
    DIR *list = opendir("/proc");
    for (struct dirent *entry; list && (entry = readdir(list));) {
        struct child seen;
        pid_t pid = atoi(entry->d_name), parent;
        if (pid > 0 && read_status(pid, &seen, &parent) && parent == run && strncmp(seen.name, "goldthread-", 11) == 0)
            count = note(children, count, &seen);
    }
    if (list) closedir(list);
    return count;
}

static void print_peak(const char *name, long kib, bool *sound)
{
    printf("  %-16s %5ld MiB at most\n", name, kib >> 10);
    *sound = *sound && kib <= RSS_BOUND_KIB;
}

static pid_t start_run(const char *workers)
{
    pid_t run = fork();
    if (run != 0) return run;
    if (!freopen("/dev/null", "w", stdout)) _exit(127);
    execl(GOLDTHREAD_BIN "/goldthread", "goldthread", "run", "study.yaml", "--workers", workers, "--quiet", "--out",
          "out", (char *)NULL);
    _exit(127);
}

/* Follows the run to its end. */
static size_t follow(pid_t run, struct child *children, struct rusage *usage)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    double give_up = seconds_now() + PATIENCE_S;
    size_t count = 0;
    int status;
    for (pid_t ended; (ended = wait4(run, &status, WNOHANG, usage)) != run; nanosleep(&pause, NULL)) {
        if (ended < 0 || seconds_now() > give_up) stop("the run does not end");
        count = look_at_children(run, children, count);
    }
    if (status != 0) stop("the run failed");
    return count;
}

static bool measure(const struct study *study, uint64_t draws, const char *workers)
{
    struct child children[CHILDREN_MAX];
    struct rusage usage;
    bool sound = true;
    FILE *file = fopen("study.yaml", "w");
    if (!file) stop("the folder cannot be written");
    fprintf(file, study->text, GOLDTHREAD_BIN "/../models", (unsigned long long)draws);
    fclose(file);
    fflush(stdout);
    double start = seconds_now();
    size_t count = follow(start_run(workers), children, &usage);
    double seconds = seconds_now() - start, runs = (double)(draws * study->runs);
    printf("\n%s: %.0f model runs in %.2f s with %s workers, %.2f million a second\n", study->what, runs, seconds,
           workers, runs / seconds / 1e6);
    print_peak("goldthread", usage.ru_maxrss, &sound);
    for (size_t at = 0; at < count; at++) print_peak(children[at].name, children[at].peak_kib, &sound);
    if (system("rm -rf out study.yaml") != 0) stop("what was made cannot be removed");
    return sound;
}

/* A folder of its own, for everything that a run may write. */
static void enter_place(char *folder)
{
    static const char *const names[] = {"HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"};
    if (!mkdtemp(folder) || chdir(folder) != 0) stop("no folder can be made in /tmp");
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) setenv(names[at], folder, 1);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/bench-study-XXXXXX", command[64];
    unsigned log2_draws = argc > 1 ? (unsigned)atoi(argv[1]) : 18;
    const char *workers = argc > 2 ? argv[2] : "2";
    bool sound = true;
    if (log2_draws < 10 || log2_draws > 30) stop("LOG2_DRAWS must be 10 to 30");
    enter_place(folder);
    for (size_t at = 0; at < sizeof studies / sizeof *studies; at++)
        sound = measure(&studies[at], UINT64_C(1) << log2_draws, workers) && sound;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (chdir("/") != 0 || system(command) != 0) stop("the folder cannot be removed");
    if (!sound) stop("a process needed more than 512 MiB");
    return 0;
}
