/* What is known of another program's store: its identity and how far it was. A store that counts fewer
 * commits than it once said has lost the end of its log; one of another identity has been replaced. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct witness {
    bool known;
    uint64_t store, commits; /* as it was said last, or most if nothing was lost in between */
};

enum witness_verdict {
    WITNESS_FIRST,   /* nothing was known before */
    WITNESS_ONWARD,  /* the same store, as far as it was or farther */
    WITNESS_BACK,    /* the same store has lost commits */
    WITNESS_REPLACED /* another store */
};

/* Takes what the other program says now, and judges it by what was known. */
enum witness_verdict witness_take(struct witness *witness, uint64_t store, uint64_t commits);

bool witness_equal(const struct witness *a, const struct witness *b);
