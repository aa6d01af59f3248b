/* Linked with a core that has a fault on purpose (sim.cmake): the simulator must find it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support_sim.h"

Test(planted, a_fault_in_a_core_is_found_and_named)
{
    struct sim_report report = {0};
    uint64_t seed = 1;
    for (; seed <= PLANTED_SEEDS; seed++) {
        sim_run(&(struct sim_setup){.seed = seed}, &report);
        if (report.failed) break;
    }
    cr_assert(report.failed, "not found in %u seeds", PLANTED_SEEDS);
    cr_assert_not_null(strstr(report.why, PLANTED_SYMPTOM), "seed %lu %s", seed, report.why);
    fprintf(stderr, "found by seed %lu %s\n", seed, report.why);
}
