/* The page of a server: one loop publishes as fast as it can, others read, and it is closed amid requests. */
#include "net/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "exposition.h"
#include "net/process.h"
#include "support_threads.h"

#define READERS 3
#define READS   200 /* of each reader */
#define NUMBERS 64

struct snapshot {
    uint64_t numbers[NUMBERS]; /* all the same */
};

static struct sockaddr_in page = {.sin_family = AF_INET};
static atomic_uint readers_left = READERS;

static void render(const void *context, uint64_t age_ms, struct buffer *out)
{
    const struct snapshot *snapshot = context;
    (void)age_ms;
    for (size_t at = 1; at < NUMBERS; at++) require(snapshot->numbers[at] == snapshot->numbers[0]);
    expose(out, "%llu\n", (unsigned long long)snapshot->numbers[0]);
}

static int dial(void)
{
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    require(connect(fd, (struct sockaddr *)&page, sizeof page) == 0);
    return fd;
}

static void ask(int fd, const char *path)
{
    char request[128];
    const int size = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", path);
    require(send(fd, request, (size_t)size, MSG_NOSIGNAL) == size);
}

static void *read_pages(void *context)
{
    static const char *const paths[] = {"/metrics", "/status.json", "/healthz"};
    unsigned long long last = 0;
    (void)context;
    for (int reads = 0; reads < READS; reads++) {
        char answer[4096];
        size_t size = 0;
        const int fd = dial(), kind = reads % 3;
        ask(fd, paths[kind]);
        for (ssize_t got; (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0;) size += (size_t)got;
        close(fd);
        answer[size] = 0;
        require(strncmp(answer, "HTTP/1.", 7) == 0 && strstr(answer, " 200 OK\r\n") != NULL);
        const char *body = strstr(answer, "\r\n\r\n");
        require(body != NULL);
        if (kind == 2) continue;
        const unsigned long long number = strtoull(body + 4, NULL, 10);
        require(number >= last);
        last = number;
    }
    atomic_fetch_sub(&readers_left, 1);
    return NULL;
}

static void publish(struct http *http, uint64_t number)
{
    struct snapshot *snapshot = http_turn(http, clock_ms(), true);
    require(snapshot != NULL);
    for (size_t at = 0; at < NUMBERS; at++) snapshot->numbers[at] = number;
    http_publish(http);
}

int main(void)
{
    char address[HTTP_ADDRESS_BYTES], why[256];
    pthread_t readers[READERS];
    const struct http_setup setup = {"threads", "127.0.0.1:0", sizeof(struct snapshot), render, render};
    require(process_stop_fd() >= 0);
    struct http *http = http_open(&setup, address, sizeof address, why, sizeof why);
    require(http != NULL);
    page.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    page.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    publish(http, 1);
    for (size_t at = 0; at < READERS; at++) require(pthread_create(&readers[at], NULL, read_pages, NULL) == 0);
    const uint64_t end_ms = clock_ms() + PATIENCE_MS;
    for (uint64_t number = 2; atomic_load(&readers_left) > 0; number++) {
        require(clock_ms() < end_ms);
        publish(http, number);
    }
    for (size_t at = 0; at < READERS; at++) require(pthread_join(readers[at], NULL) == 0);
    const int asking = dial(), silent = dial();
    ask(asking, "/metrics");
    http_close(http);
    close(asking);
    close(silent);
    return 0;
}
