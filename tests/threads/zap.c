/* Keys: one thread shows keys as a connection would, one looks them up as a server's loop does for each
 * message, while the folder of known keys changes under the thread that reads it. */
#include "net/zap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "net/process.h"
#include "support_threads.h"

#define ROTATIONS 12

static char folder[64], why[KEY_WHY_BYTES];
static struct key lasting, strange; /* always known; never */
static struct zap *zap;
static void *context;
static atomic_bool stop;

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static const char *path_of(const char *name)
{
    static char path[128]; /* the main thread's */
    snprintf(path, sizeof path, "%s/" KEYS_AUTHORIZED "/%s.pub", folder, name);
    return path;
}

static struct key make(const char *name)
{
    struct key key;
    require(key_make(&key, KEY_WORKER, name));
    return key;
}

static void authorize(const struct key *key)
{
    require(key_write(path_of(key->name), false, key, why, sizeof why));
}

/* The answer's third frame, "200" or "400". */
static void expect_answer(void *requests, const struct key *key, const char *expected)
{
    uint8_t bytes[32];
    char code[8] = "";
    require(zmq_z85_decode(bytes, key->public_text) != NULL);
    static const char *const head[] = {"1.0", "1", "", "127.0.0.1", "", "CURVE"};
    for (size_t at = 0; at < sizeof head / sizeof *head; at++)
        require(zmq_send(requests, head[at], strlen(head[at]), ZMQ_SNDMORE) >= 0);
    require(zmq_send(requests, bytes, sizeof bytes, 0) == sizeof bytes);
    for (int at = 0; at < 6; at++) {
        char frame[64] = "";
        require(zmq_recv(requests, frame, sizeof frame - 1, 0) >= 0);
        if (at == 2) memcpy(code, frame, sizeof code - 1);
    }
    require(strcmp(code, expected) == 0);
}

static void *show_keys(void *unused)
{
    const int patience_ms = PATIENCE_MS, linger_ms = 0;
    (void)unused;
    void *requests = zmq_socket(context, ZMQ_REQ);
    require(requests != NULL && zmq_setsockopt(requests, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms) == 0);
    require(zmq_setsockopt(requests, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0);
    require(zmq_connect(requests, "inproc://zeromq.zap.01") == 0);
    while (!atomic_load(&stop)) {
        expect_answer(requests, &lasting, "200");
        expect_answer(requests, &strange, "400");
    }
    zmq_close(requests);
    return NULL;
}

static void *look_up(void *unused)
{
    struct zap_holder holder;
    (void)unused;
    for (uint64_t last = 0; !atomic_load(&stop);) {
        require(zap_find(zap, lasting.public_text, &holder));
        require(holder.role == KEY_WORKER && strcmp(holder.name, lasting.name) == 0);
        require(!zap_find(zap, strange.public_text, &holder));
        const uint64_t denied = zap_denied(zap);
        require(denied >= last);
        last = denied;
    }
    return NULL;
}

static void wait_until_known(const struct key *key, bool known)
{
    struct zap_holder holder;
    for (const uint64_t end_ms = clock_ms() + PATIENCE_MS; zap_find(zap, key->public_text, &holder) != known;) {
        require(clock_ms() < end_ms);
        pause_ms(2);
    }
}

static void rotate(void)
{
    for (int times = 0; times < ROTATIONS; times++) {
        char name[16];
        snprintf(name, sizeof name, "node%d", times);
        const struct key key = make(name);
        wait_until_known(&key, false);
        authorize(&key);
        wait_until_known(&key, true);
        require(unlink(path_of(key.name)) == 0);
        wait_until_known(&key, false);
    }
}

static void open_folder(void)
{
    char path[128];
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/gt-threads-XXXXXX", parent != NULL ? parent : "/tmp");
    require(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/" KEYS_AUTHORIZED, folder);
    require(mkdir(path, 0700) == 0);
}

static void close_folder(void)
{
    char path[128];
    require(unlink(path_of(lasting.name)) == 0);
    snprintf(path, sizeof path, "%s/" KEYS_AUTHORIZED, folder);
    require(rmdir(path) == 0 && rmdir(folder) == 0);
}

int main(void)
{
    pthread_t threads[2];
    log_open("threads", LOG_ERROR);
    open_folder();
    lasting = make("lasting");
    strange = make("strange");
    authorize(&lasting);
    context = zmq_ctx_new();
    zap = zap_open(context, folder, why, sizeof why);
    require(zap != NULL);
    require(pthread_create(&threads[0], NULL, show_keys, NULL) == 0);
    require(pthread_create(&threads[1], NULL, look_up, NULL) == 0);
    rotate();
    atomic_store(&stop, true);
    for (size_t at = 0; at < 2; at++) require(pthread_join(threads[at], NULL) == 0);
    require(zap_denied(zap) > 0);
    zap_close(zap);
    require(zmq_ctx_term(context) == 0);
    close_folder();
    return 0;
}
