/* Hosts with a fault on purpose: the simulator must find it, and name what it did. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support_sim.h"

static void find(enum sim_plant plant, uint64_t seeds, const char *symptom)
{
    struct sim_report report = {0};
    uint64_t seed = 1;
    for (; seed <= seeds; seed++) {
        sim_run(&(struct sim_setup){.seed = seed, .plant = plant}, &report);
        if (report.failed) break;
    }
    cr_assert(report.failed, "not found in %lu seeds", seeds);
    cr_assert_not_null(strstr(report.why, symptom), "seed %lu %s", seed, report.why);
    fprintf(stderr, "found by seed %lu %s\n", seed, report.why);
}

Test(planted, a_broker_that_answers_before_its_commit_is_found)
{
    find(SIM_PLANT_BROKER_SENDS_FIRST, 20, "told of before it is on disk");
}

Test(planted, a_store_that_says_committed_and_is_not_is_found)
{
    find(SIM_PLANT_STORE_FORGETS, 20, "called folded, and are not on disk");
}
