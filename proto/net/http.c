#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exposition.h"
#include "process.h"

#define CONNECTIONS_MAX 48 /* at once, with those that have been sent away and are not gone yet */
#define READERS_MAX     32 /* the oldest of more is sent away */
#define SILENCE_S       10
#define BACKLOG         32
#define REQUEST_BYTES   (16u << 10) /* of a request's head; more is refused */

/* One that is connected. */
struct reader {
    bool here, sent_away;
    int fd;
    uint64_t number; /* in the order in which they came */
};

struct http {
    struct http_setup setup;
    struct reader readers[CONNECTIONS_MAX]; /* the thread's */
    uint64_t readers_ever;
    struct MHD_Daemon *daemon;
    int listen_fd; /* -1 once the daemon has it */
    uint64_t started_ms;
    atomic_uint_fast64_t turned_ms;

    uint64_t published_ms; /* the loop's */
    void *back;            /* the loop's: being filled */
    pthread_mutex_t lock;  /* guards the next four, for the exchange of pointers only */
    void *front;           /* published last */
    uint64_t front_ms;
    bool fresh, ready; /* front has not been read; something was ever published */
    void *reading;     /* the thread's */
    uint64_t reading_ms;
};

/* Addresses */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_port(const char *text, in_port_t *port)
{
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || errno != 0 || number > UINT16_MAX) return false;
    *port = htons((uint16_t)number);
    return true;
}

static bool read_address(const char *text, union address *address)
{
    char host[HTTP_ADDRESS_BYTES];
    in_port_t port;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || !read_port(colon + 1, &port)) return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    *address = (union address){.v4 = {.sin_family = AF_INET, .sin_port = port}};
    if (strcmp(host, "localhost") == 0) snprintf(host, sizeof host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) return true;
    const size_t size = strlen(host);
    if (size < 3 || host[0] != '[' || host[size - 1] != ']') return false;
    host[size - 1] = 0;
    *address = (union address){.v6 = {.sin6_family = AF_INET6, .sin6_port = port}};
    return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET) return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr) != 0;
}

bool http_check_address(const char *address, bool public, char *why, size_t why_bytes)
{
    union address read;
    if (!read_address(address, &read)) {
        snprintf(why, why_bytes, "--http '%.64s' is no address: 127.0.0.1:9070, [::1]:9070 or localhost:0, say",
                 address);
        return false;
    }
    if (public || is_loopback(&read)) return true;
    snprintf(why, why_bytes, "--http %.64s can be reached from other machines; if that is meant, add --http-public",
             address);
    return false;
}

static void print_address(const union address *address, char *text, size_t text_bytes)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(text, text_bytes, "%s:%u", host, ntohs(address->v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(text, text_bytes, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    }
}

/* A socket of our own, since a daemon that cannot bind does not say why. -1: errno. */
static int listen_at(union address *address)
{
    const int on = 1, family = address->any.sa_family;
    socklen_t size = family == AF_INET ? sizeof address->v4 : sizeof address->v6;
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, &address->any, size) == 0 &&
        listen(fd, BACKLOG) == 0 && getsockname(fd, &address->any, &size) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Snapshots */

void *http_turn(struct http *http, uint64_t now_ms, bool now)
{
    if (http == NULL) return NULL;
    atomic_store(&http->turned_ms, now_ms);
    const bool young = http->published_ms != 0 && now_ms < http->published_ms + HTTP_PUBLISH_MS;
    if (young && !now) return NULL;
    http->published_ms = now_ms;
    return http->back;
}

void http_publish(struct http *http)
{
    if (http == NULL) return;
    pthread_mutex_lock(&http->lock);
    void *filled = http->back;
    http->back = http->front;
    http->front = filled;
    http->front_ms = http->published_ms;
    http->fresh = http->ready = true;
    pthread_mutex_unlock(&http->lock);
}

int64_t http_patience_ms(const struct http *http, int64_t patience_ms)
{
    if (http == NULL) return patience_ms;
    return patience_ms < 0 || patience_ms > (int64_t)HTTP_TURN_MS ? (int64_t)HTTP_TURN_MS : patience_ms;
}

/* The newest snapshot, or NULL before the first. */
static const void *latest(struct http *http)
{
    pthread_mutex_lock(&http->lock);
    const bool ready = http->ready;
    if (http->fresh) {
        void *old = http->reading;
        http->reading = http->front;
        http->reading_ms = http->front_ms;
        http->front = old;
        http->fresh = false;
    }
    pthread_mutex_unlock(&http->lock);
    return ready ? http->reading : NULL;
}

/* Answers */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, struct buffer *page)
{
    static char sorry[] = "there is no memory for this page\n";
    if (page->failed) {
        buffer_free(page);
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        type = "text/plain; charset=utf-8";
    }
    struct MHD_Response *response =
        page->data != NULL ? MHD_create_response_from_buffer(page->size, page->data, MHD_RESPMEM_MUST_FREE)
                           : MHD_create_response_from_buffer(sizeof sorry - 1, sorry, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        buffer_free(page);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    const enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned status, const char *line)
{
    struct buffer page = {0};
    expose(&page, "%s\n", line);
    return answer(connection, status, "text/plain; charset=utf-8", &page);
}

static enum MHD_Result answer_health(struct http *http, struct MHD_Connection *connection)
{
    const uint64_t turned_ms = atomic_load(&http->turned_ms), now_ms = clock_ms();
    const uint64_t silent_ms = now_ms > turned_ms ? now_ms - turned_ms : 0;
    const bool healthy = silent_ms < HTTP_SILENT_MS;
    struct buffer page = {0};
    expose(&page, "{\"status\": \"%s\", \"program\": \"%s\", \"version\": \"%s\", \"uptime_ms\": %llu, ",
           healthy ? "ok" : "stuck", http->setup.program, GOLDTHREAD_VERSION,
           (unsigned long long)(now_ms - http->started_ms));
    expose(&page, "\"silent_ms\": %llu}\n", (unsigned long long)silent_ms);
    return answer(connection, healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "application/json", &page);
}

static enum MHD_Result answer_page(struct http *http, struct MHD_Connection *connection, http_render *render,
                                   const char *type)
{
    struct buffer page = {0};
    const void *snapshot = latest(http);
    if (snapshot == NULL) return answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the server has just started");
    const uint64_t now_ms = clock_ms();
    render(snapshot, now_ms > http->reading_ms ? now_ms - http->reading_ms : 0, &page);
    return answer(connection, MHD_HTTP_OK, type, &page);
}

static enum MHD_Result take_request(void *context, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *body, size_t *body_bytes,
                                    void **request)
{
    static char seen;
    struct http *http = context;
    (void)version, (void)body;
    if (*request == NULL) { /* the head alone: an answer now would cut the connection */
        *request = &seen;
        return MHD_YES;
    }
    if (*body_bytes > 0) { /* nobody reads it */
        *body_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are allowed");
    if (strcmp(path, "/healthz") == 0) return answer_health(http, connection);
    if (strcmp(path, "/metrics") == 0) return answer_page(http, connection, http->setup.metrics, EXPOSITION_TYPE);
    if (strcmp(path, "/status.json") == 0) return answer_page(http, connection, http->setup.status, "application/json");
    return answer_line(connection, MHD_HTTP_NOT_FOUND, "there are /healthz, /metrics and /status.json");
}

/* Readers. One that sends a byte now and then is not silent, and would stay for as long as it likes. So whoever comes
 * gets a place, and the oldest loses it: that is none who asks at once. */

static void send_oldest_away(struct http *http)
{
    size_t count = 0;
    struct reader *oldest = NULL;
    for (size_t at = 0; at < CONNECTIONS_MAX; at++) {
        struct reader *reader = &http->readers[at];
        if (!reader->here || reader->sent_away) continue;
        count++;
        if (oldest == NULL || reader->number < oldest->number) oldest = reader;
    }
    if (count <= READERS_MAX) return;
    oldest->sent_away = true;
    shutdown(oldest->fd, SHUT_RDWR); /* the daemon closes it, as if the other end had */
}

static void note_reader(void *context, struct MHD_Connection *connection, void **place,
                        enum MHD_ConnectionNotificationCode what)
{
    struct http *http = context;
    struct reader *reader = *place;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (reader != NULL) reader->here = false;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    size_t at = 0;
    while (at < CONNECTIONS_MAX && http->readers[at].here) at++;
    if (info == NULL || at == CONNECTIONS_MAX) return;
    http->readers[at] = (struct reader){.here = true, .fd = info->connect_fd, .number = http->readers_ever++};
    *place = &http->readers[at];
    send_oldest_away(http);
}

/* Opening */

/* epoll: the descriptors of thousands of workers' connections may come before ours, which select() could
 * not take. */
static bool start(struct http *http)
{
    http->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, take_request, http,
                                    MHD_OPTION_LISTEN_SOCKET, http->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                                    (unsigned)CONNECTIONS_MAX, MHD_OPTION_NOTIFY_CONNECTION, note_reader, http,
                                    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
                                    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_END);
    if (http->daemon == NULL) return false;
    http->listen_fd = -1;
    return true;
}

static bool take_memory(struct http *http)
{
    http->back = calloc(1, http->setup.snapshot_bytes);
    http->front = calloc(1, http->setup.snapshot_bytes);
    http->reading = calloc(1, http->setup.snapshot_bytes);
    return http->back != NULL && http->front != NULL && http->reading != NULL;
}

struct http *http_open(const struct http_setup *setup, char *bound, size_t bound_bytes, char *why, size_t why_bytes)
{
    union address address;
    struct http *http = calloc(1, sizeof *http);
    snprintf(why, why_bytes, "out of memory");
    if (http == NULL) return NULL;
    http->setup = *setup;
    http->listen_fd = -1;
    http->started_ms = clock_ms();
    atomic_init(&http->turned_ms, http->started_ms);
    pthread_mutex_init(&http->lock, NULL);
    if (!take_memory(http)) goto fail;
    errno = EINVAL;
    if (!read_address(setup->address, &address) || (http->listen_fd = listen_at(&address)) < 0) {
        snprintf(why, why_bytes, "cannot listen at %s: %s", setup->address, strerror(errno));
        goto fail;
    }
    print_address(&address, bound, bound_bytes);
    snprintf(why, why_bytes, "cannot serve HTTP at %s", setup->address);
    if (start(http)) return http;
fail:
    http_close(http);
    return NULL;
}

void http_close(struct http *http)
{
    if (http == NULL) return;
    if (http->daemon != NULL) MHD_stop_daemon(http->daemon);
    if (http->listen_fd >= 0) close(http->listen_fd);
    pthread_mutex_destroy(&http->lock);
    free(http->back);
    free(http->front);
    free(http->reading);
    free(http);
}
