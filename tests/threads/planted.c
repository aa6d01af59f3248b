/* A data race on purpose: under the thread sanitizer with the suppressions of tests/threads this must be
 * reported, or nothing that is not reported means anything. */
#include <pthread.h>

#include "support_threads.h"

static unsigned shared;

static void *add(void *context)
{
    (void)context;
    shared++;
    return NULL;
}

int main(void)
{
    pthread_t thread;
    require(pthread_create(&thread, NULL, add, NULL) == 0);
    shared++;
    require(pthread_join(thread, NULL) == 0);
    printf("%u\n", shared);
    return 0;
}
