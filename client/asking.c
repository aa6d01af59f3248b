#include "asking.h"

#define LATE_FIRST_MS 500
#define LATE_MOST_MS  8000

enum message_kind asking_kind(enum asking asking)
{
    if (asking == ASKING_SUBMIT) return MESSAGE_SUBMIT;
    return asking == ASKING_STATUS ? MESSAGE_STATUS : MESSAGE_RESULT;
}

bool asking_takes(enum asking asking, enum message_kind answer)
{
    switch (answer) {
    case MESSAGE_ACCEPTED:
        return asking == ASKING_SUBMIT;
    case MESSAGE_SWEEPS:
        return asking == ASKING_STATUS;
    case MESSAGE_OUTCOME:
        return asking == ASKING_LOOK || asking == ASKING_RESULT;
    default:
        return answer == MESSAGE_ERROR;
    }
}

uint64_t asking_late_ms(uint64_t last_ms)
{
    if (last_ms == 0) return LATE_FIRST_MS;
    return last_ms < LATE_MOST_MS / 2 ? 2 * last_ms : LATE_MOST_MS;
}
