/* Whole clusters under every fault, seed by seed. SIM_SEED=n runs one seed, SIM_TRACE=1 with a trace;
 * SIM_SEEDS=n runs so many. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "lending.h"
#include "support_nodes.h"
#include "support_sim.h"

#ifdef GOLDTHREAD_SANITIZED
#define SEEDS_DEFAULT 300u
#else
#define SEEDS_DEFAULT 2000u
#endif
#define SEEDS_CALM   40u
#define FAILURES_MAX 10u /* told before the test gives up */

static uint64_t number_in(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && *text != 0 ? strtoull(text, NULL, 10) : otherwise;
}

/* True: all was well. */
static bool try(uint64_t seed, bool calm, struct sim_report *report)
{
    const struct sim_setup setup = {.seed = seed, .calm = calm, .trace = getenv("SIM_TRACE") != NULL};
    sim_run(&setup, report);
    if (report->failed)
        fprintf(stderr, "seed %lu %s\n  replay: SIM_SEED=%lu SIM_TRACE=1 %s/../tests/sim_test_cluster\n", seed,
                report->why, seed, GOLDTHREAD_BIN);
    return !report->failed;
}

static void run(uint64_t seed, bool calm, struct sim_report *report)
{
    cr_assert(try(seed, calm, report), "seed %lu %s", seed, report->why);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_faults(const uint64_t *faults)
{
    for (enum sim_fault fault = 0; fault < SIM_FAULT_COUNT; fault++)
        fprintf(stderr, "  %-24s %10lu\n", sim_fault_name(fault), faults[fault]);
}

Test(cluster, every_sweep_ends_with_the_undisturbed_result_whatever_breaks, .timeout = 3000)
{
    const uint64_t only = number_in("SIM_SEED", 0), first = only != 0 ? only : 1;
    const uint64_t count = only != 0 ? 1 : number_in("SIM_SEEDS", SEEDS_DEFAULT);
    uint64_t faults[SIM_FAULT_COUNT] = {0}, blocks = 0, events = 0, virtual_ms = 0, failed = 0;
    uint64_t stopped = 0, copied = 0, slowest = 0, settled_ms = 0;
    const double start = seconds();
    for (uint64_t seed = first; seed < first + count && failed < FAILURES_MAX; seed++) {
        struct sim_report report;
        failed += !try(seed, false, &report);
        for (enum sim_fault fault = 0; fault < SIM_FAULT_COUNT; fault++) faults[fault] += report.faults[fault];
        blocks += report.blocks;
        stopped += report.stopped;
        copied += report.copied;
        events += report.events;
        virtual_ms += report.ended_ms;
        if (report.settled_ms > settled_ms) settled_ms = report.settled_ms, slowest = seed;
    }
    const double took = seconds() - start;
    fprintf(stderr, "seeds %lu to %lu: %.1f seeds/s, %lu blocks, %lu events, %.1f virtual hours in %.1f s\n", first,
            first + count - 1, (double)count / took, blocks, events, (double)virtual_ms / 3.6e6, took);
    fprintf(stderr, "longest from the last fault to the end: %.1f s, seed %lu\n", (double)settled_ms / 1e3, slowest);
    fprintf(stderr, "sweeps that a stop rule ended: %lu; nodes taken over: %lu\n", stopped, copied);
    print_faults(faults);
    cr_assert_eq(failed, 0, "%lu seeds failed", failed);
    if (count < 500) return;
    cr_assert_gt(stopped, count / 20, "hardly a stop rule was met");
    cr_assert_gt(copied, count / 20, "hardly a sweep was extended");
    for (enum sim_fault fault = 0; fault < SIM_FAULT_COUNT; fault++)
        cr_assert_gt(faults[fault], 0, "this never happened: %s", sim_fault_name(fault));
}

/* The other half of the promise: the disturbed runs are compared with what this gives. */
Test(cluster, one_worker_undisturbed_gives_the_result_of_the_plain_fold, .timeout = 600)
{
    for (uint64_t seed = 1; seed <= SEEDS_CALM; seed++) {
        struct sim_report report;
        run(seed, true, &report);
        for (uint32_t sweep = 0; sweep < report.sweep_count; sweep++) {
            const struct digest expected =
                nodes_result(report.flavours[sweep], report.sweep_blocks[sweep], report.sweep_has_short[sweep]);
            cr_assert(digest_equal(&report.results[sweep], &expected), "seed %lu: sweep %u", seed, sweep);
        }
        for (enum sim_fault fault = 0; fault < SIM_FAULT_COUNT; fault++)
            cr_assert_eq(report.faults[fault], 0, "seed %lu: %s", seed, sim_fault_name(fault));
    }
}

/* One more than the time that a block waits until each straggler has had it. */
#define STRAGGLERS_MS (LENDING_UNMEASURED_MS << LENDING_COPIES_MAX)

Test(cluster, workers_that_say_they_are_there_and_do_not_finish_hold_up_no_sweep, .timeout = 600)
{
    for (uint64_t seed = 1; seed <= SEEDS_CALM; seed++) {
        const uint32_t stragglers = 1 + (uint32_t)seed % LENDING_COPIES_MAX;
        struct sim_report alone, report;
        run(seed, true, &alone);
        sim_run(&(struct sim_setup){.seed = seed, .calm = true, .stragglers = stragglers}, &report);
        cr_assert_not(report.failed, "seed %lu %s", seed, report.why);
        cr_assert_gt(report.faults[SIM_STUCK] + report.faults[SIM_SLOWED], 0, "seed %lu", seed);
        cr_assert_leq(report.ended_ms, alone.ended_ms + STRAGGLERS_MS, "seed %lu: %lu ms, %lu ms without", seed,
                      report.ended_ms, alone.ended_ms);
    }
}

Test(cluster, the_same_seed_gives_the_same_run, .timeout = 600)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_report first, second;
        run(seed, false, &first);
        run(seed, false, &second);
        cr_assert_eq(memcmp(&first, &second, sizeof first), 0, "seed %lu", seed);
    }
}
