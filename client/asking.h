/* What `goldthread run` asks its servers, one question after the other, and which answers belong to it. Pure.
 * A question is asked again when its answer is late, and may then be answered twice: the second answer comes while
 * another question is open. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

enum asking {
    ASKING_SUBMIT, /* that the broker takes the sweep */
    ASKING_LOOK,   /* what the aggregator has already, before workers add to it */
    ASKING_STATUS, /* how far the broker is */
    ASKING_RESULT, /* the whole result of the aggregator */
};

/* The message that asks it. */
enum message_kind asking_kind(enum asking asking);

/* Whether an answer of this kind is to the question that is open. An error is to any. */
bool asking_takes(enum asking asking, enum message_kind answer);

/* Milliseconds after which an answer counts as lost; last_ms: those of the same question before, 0 the first time.
 * Twice as long each time, up to 8 s: a large result takes a while, and each question makes one. */
uint64_t asking_late_ms(uint64_t last_ms);
