#include <criterion/criterion.h>

#include "asking.h"

/* The look at what is there already, answered twice: its second answer comes before the broker has named the digest
 * that a result is held against. */
Test(asking, an_answer_that_comes_twice_is_not_taken_for_that_of_the_next_question)
{
    cr_expect(asking_takes(ASKING_LOOK, MESSAGE_OUTCOME));
    cr_expect_not(asking_takes(ASKING_STATUS, MESSAGE_OUTCOME));
    cr_expect(asking_takes(ASKING_RESULT, MESSAGE_OUTCOME));
    cr_expect(asking_takes(ASKING_SUBMIT, MESSAGE_ACCEPTED));
    cr_expect_not(asking_takes(ASKING_LOOK, MESSAGE_ACCEPTED));
    cr_expect(asking_takes(ASKING_STATUS, MESSAGE_SWEEPS));
    cr_expect_not(asking_takes(ASKING_RESULT, MESSAGE_SWEEPS));
}

Test(asking, a_refusal_answers_any_question_and_a_message_of_others_none)
{
    for (enum asking asking = ASKING_SUBMIT; asking <= ASKING_RESULT; asking++) {
        cr_expect(asking_takes(asking, MESSAGE_ERROR), "%d", (int)asking);
        cr_expect_not(asking_takes(asking, MESSAGE_LEASE), "%d", (int)asking);
    }
}

Test(asking, a_question_is_repeated_ever_more_seldom_within_a_bound)
{
    uint64_t late_ms = asking_late_ms(0), before_ms = 0;
    cr_expect_leq(late_ms, 500, "a server that was restarted is asked again soon");
    for (int at = 0; at < 10; at++, late_ms = asking_late_ms(late_ms)) {
        cr_expect(late_ms == 2 * before_ms || at == 0 || late_ms == 8000, "%d", at);
        before_ms = late_ms;
    }
    cr_expect_eq(late_ms, 8000);
}
