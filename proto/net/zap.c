#include "zap.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "process.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_VERSION  "1.0"
#define SUFFIX       ".pub"
#define ID_BYTES     255
#define KEY_BYTES    32
#define LOG_MS       1000u /* at most one line of a kind that others cause in this time */
#define TURN_MAX     64    /* requests answered before the folder is looked at again */

struct known {
    char public_text[KEY_TEXT_BYTES];
    struct zap_holder holder;
    uint64_t print; /* of its file as it was read */
};

struct table {
    size_t count;
    struct known list[ZAP_KEYS_MAX]; /* by public key */
};

struct zap {
    char folder[PATH_MAX];
    DIR *entries;  /* open all the time: strangers' connections may use up the descriptors */
    void *replies; /* the thread's */
    int stop_fd;
    pthread_t thread;
    bool has_thread;
    uint64_t fingerprint, denied_logged_ms;
    bool wants_again;   /* something could not be read for want of descriptors or memory */
    struct table *next; /* the thread reads into this one, and then they change places */
    pthread_mutex_t lock;
    struct table *table; /* under the lock */
    atomic_uint_fast64_t denied;
};

/* The folder */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->public_text, ((const struct known *)b)->public_text);
}

static bool is_key_file(const char *name)
{
    const size_t size = strlen(name);
    return name[0] != '.' && size > sizeof SUFFIX - 1 && strcmp(name + size - (sizeof SUFFIX - 1), SUFFIX) == 0;
}

static uint64_t mix(uint64_t print, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t at = 0; at < size; at++) print = (print ^ bytes[at]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return print;
}

static uint64_t mix_file(uint64_t print, const struct stat *info)
{
    const int64_t values[] = {(int64_t)info->st_ino,          (int64_t)info->st_size,
                              (int64_t)info->st_mode,         (int64_t)info->st_mtim.tv_sec,
                              (int64_t)info->st_mtim.tv_nsec, (int64_t)info->st_ctim.tv_sec,
                              (int64_t)info->st_ctim.tv_nsec};
    return mix(print, values, sizeof values);
}

/* Makes zap->entries the folder that has the name now. False: errno. */
static bool open_folder(struct zap *zap)
{
    struct stat named, open;
    if (stat(zap->folder, &named) != 0) return false;
    if (zap->entries != NULL && fstat(dirfd(zap->entries), &open) == 0 && named.st_dev == open.st_dev &&
        named.st_ino == open.st_ino) {
        rewinddir(zap->entries);
        return true;
    }
    if (zap->entries != NULL) closedir(zap->entries);
    zap->entries = opendir(zap->folder);
    return zap->entries != NULL;
}

/* A number that changes with the file. False: it is none of a key, or gone. */
static bool print_of(const struct zap *zap, const char *name, uint64_t *print)
{
    struct stat info;
    if (!is_key_file(name) || fstatat(dirfd(zap->entries), name, &info, 0) != 0) return false;
    *print = mix_file(mix(3, name, strlen(name)), &info);
    return true;
}

/* A number that changes with the folder. Sums the files, since a folder names them in any order. */
static uint64_t look(struct zap *zap)
{
    struct stat info;
    uint64_t print;
    if (!open_folder(zap)) return 1;
    uint64_t sum = fstat(dirfd(zap->entries), &info) == 0 ? mix_file(2, &info) : 2;
    for (struct dirent *entry; (entry = readdir(zap->entries)) != NULL;)
        if (print_of(zap, entry->d_name, &print)) sum += print;
    return sum;
}

static void leave_out(const char *why)
{
    log_event(LOG_WARNING, "key-left-out", "reason=\"%s\"", why);
}

/* There is no descriptor to read the file by: a key that was known counts while its file is the same. */
static void take_unchanged(const struct zap *zap, uint64_t print, struct table *table)
{
    size_t at = 0;
    while (at < zap->table->count && zap->table->list[at].print != print) at++;
    if (at < zap->table->count) table->list[table->count++] = zap->table->list[at];
}

static void take_file(struct zap *zap, const char *name, uint64_t print, struct table *table)
{
    char path[PATH_MAX + 256], why[KEY_WHY_BYTES];
    struct key key;
    snprintf(path, sizeof path, "%s/%s", zap->folder, name);
    errno = 0;
    if (!key_read(path, false, &key, why, sizeof why)) {
        const bool want = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
        zap->wants_again |= want;
        if (want) take_unchanged(zap, print, table);
        else leave_out(why);
        return;
    }
    struct known *known = &table->list[table->count++];
    memcpy(known->public_text, key.public_text, sizeof known->public_text);
    known->holder.role = key.role;
    memcpy(known->holder.name, key.name, sizeof known->holder.name);
    known->print = print;
}

/* Of a key that stands in several files it is not known which one is meant. */
static void drop_doubles(struct table *table)
{
    size_t kept = 0;
    for (size_t at = 0, same; at < table->count; at += same) {
        same = 1;
        while (at + same < table->count && by_key(&table->list[at], &table->list[at + same]) == 0) same++;
        if (same == 1) table->list[kept++] = table->list[at];
        else leave_out("one public key stands in several files; none of them counts");
    }
    table->count = kept;
}

/* False: the folder cannot be read, or may be written by others; the table is empty then. */
static bool read_folder(struct zap *zap, struct table *table, char *why, size_t why_bytes)
{
    uint64_t print;
    table->count = 0;
    zap->wants_again = false;
    if (!keys_check_folder(zap->folder, why, why_bytes)) return false;
    if (!open_folder(zap)) {
        snprintf(why, why_bytes, "%s: %s", zap->folder, strerror(errno));
        return false;
    }
    for (struct dirent *entry; (entry = readdir(zap->entries)) != NULL;) {
        if (!print_of(zap, entry->d_name, &print)) continue;
        if (table->count < ZAP_KEYS_MAX) take_file(zap, entry->d_name, print, table);
        else leave_out("there are more keys than a server takes");
    }
    qsort(table->list, table->count, sizeof *table->list, by_key);
    drop_doubles(table);
    return true;
}

/* Looked at before it is read: a change meanwhile is seen the next time. Only this thread changes the table, so it
 * reads the one in use without the lock. */
static bool read_anew(struct zap *zap, char *why, size_t why_bytes)
{
    const bool waited = zap->wants_again;
    zap->fingerprint = look(zap);
    const bool sound = read_folder(zap, zap->next, why, why_bytes);
    const size_t count = zap->next->count;
    pthread_mutex_lock(&zap->lock);
    struct table *before = zap->table;
    zap->table = zap->next;
    pthread_mutex_unlock(&zap->lock);
    zap->next = before;
    if (sound && !zap->wants_again) log_event(LOG_INFO, "keys-read", "folder=%s keys=%zu", zap->folder, count);
    if (zap->wants_again && !waited)
        log_event(LOG_WARNING, "keys-wait", "folder=%s keys=%zu reason=\"no descriptor is left to read new ones\"",
                  zap->folder, count);
    return sound;
}

static void follow_folder(struct zap *zap)
{
    char why[KEY_WHY_BYTES];
    if ((!zap->wants_again && look(zap) == zap->fingerprint) || read_anew(zap, why, sizeof why)) return;
    log_event(LOG_ERROR, "keys-unreadable", "reason=\"%s\" action=\"every key is refused\"", why);
}

bool zap_find(struct zap *zap, const char *public_text, struct zap_holder *holder)
{
    struct known wanted = {.holder = {.role = KEY_NONE}};
    *holder = wanted.holder;
    if (strlen(public_text) != KEY_TEXT_BYTES - 1) return false;
    memcpy(wanted.public_text, public_text, KEY_TEXT_BYTES);
    pthread_mutex_lock(&zap->lock);
    const struct known *known = bsearch(&wanted, zap->table->list, zap->table->count, sizeof *zap->table->list, by_key);
    if (known != NULL) *holder = known->holder;
    pthread_mutex_unlock(&zap->lock);
    return known != NULL;
}

uint64_t zap_denied(struct zap *zap)
{
    return atomic_load(&zap->denied);
}

/* Requests */

enum { FRAME_VERSION, FRAME_ID, FRAME_DOMAIN, FRAME_ADDRESS, FRAME_IDENTITY, FRAME_MECHANISM, FRAME_KEY, FRAME_COUNT };

/* What of a request is needed; the sizes are those that came. */
struct request {
    size_t sizes[FRAME_COUNT], count;
    uint8_t id[ID_BYTES], key[KEY_BYTES];
    char version[8], mechanism[8], address[64];
};

static void keep_frame(struct request *request, size_t at, const void *data, size_t size)
{
    const struct {
        void *to;
        size_t room;
    } places[FRAME_COUNT] = {[FRAME_VERSION] = {request->version, sizeof request->version - 1},
                             [FRAME_ID] = {request->id, sizeof request->id},
                             [FRAME_ADDRESS] = {request->address, sizeof request->address - 1},
                             [FRAME_MECHANISM] = {request->mechanism, sizeof request->mechanism - 1},
                             [FRAME_KEY] = {request->key, sizeof request->key}};
    request->sizes[at] = size;
    if (places[at].to != NULL && size <= places[at].room) memcpy(places[at].to, data, size);
}

static bool receive_request(void *replies, struct request *request)
{
    *request = (struct request){0};
    for (bool more = true; more; request->count++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, replies, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return false;
        }
        if (request->count < FRAME_COUNT)
            keep_frame(request, request->count, zmq_msg_data(&frame), zmq_msg_size(&frame));
        more = zmq_msg_more(&frame) != 0;
        zmq_msg_close(&frame);
    }
    return true;
}

static bool is_sound(const struct request *request)
{
    return request->count == FRAME_COUNT && strcmp(request->version, ZAP_VERSION) == 0 &&
           request->sizes[FRAME_ID] <= ID_BYTES && strcmp(request->mechanism, "CURVE") == 0 &&
           request->sizes[FRAME_KEY] == KEY_BYTES;
}

static void deny(struct zap *zap, const struct request *request, const char *public_text)
{
    const uint64_t now_ms = clock_ms(), count = atomic_fetch_add(&zap->denied, 1) + 1;
    if (zap->denied_logged_ms > 0 && now_ms < zap->denied_logged_ms + LOG_MS) return;
    zap->denied_logged_ms = now_ms;
    log_event(LOG_WARNING, "key-refused", "address=%s public=%s refused=%llu", request->address, public_text,
              (unsigned long long)count);
}

static void reply(void *replies, const struct request *request, const char *user)
{
    const bool known = user[0] != 0;
    const char *code = known ? "200" : "400", *text = known ? "OK" : "the key is not known here";
    zmq_send(replies, ZAP_VERSION, strlen(ZAP_VERSION), ZMQ_SNDMORE);
    zmq_send(replies, request->id, request->sizes[FRAME_ID] <= ID_BYTES ? request->sizes[FRAME_ID] : 0, ZMQ_SNDMORE);
    zmq_send(replies, code, strlen(code), ZMQ_SNDMORE);
    zmq_send(replies, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(replies, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(replies, "", 0, 0); /* no metadata of our own */
}

/* The user id is the public key, which is looked up again for every message. */
static void answer(struct zap *zap, const struct request *request)
{
    char public_text[KEY_TEXT_BYTES] = "";
    struct zap_holder holder = {.role = KEY_NONE};
    if (is_sound(request)) zmq_z85_encode(public_text, request->key, KEY_BYTES);
    const bool known = zap_find(zap, public_text, &holder) && holder.role != KEY_SERVER;
    if (!known) deny(zap, request, public_text);
    reply(zap->replies, request, known ? public_text : "");
}

static void *serve(void *context)
{
    struct zap *zap = context;
    zmq_pollitem_t items[] = {{.socket = zap->replies, .events = ZMQ_POLLIN},
                              {.fd = zap->stop_fd, .events = ZMQ_POLLIN}};
    while ((items[1].revents & ZMQ_POLLIN) == 0) {
        if (zmq_poll(items, 2, ZAP_LOOK_MS) < 0 && errno != EINTR) break;
        follow_folder(zap); /* before a key is judged, so that a new one is known at once */
        struct request request;
        for (int turn = 0; turn < TURN_MAX && receive_request(zap->replies, &request); turn++) answer(zap, &request);
    }
    return NULL;
}

/* Starting and stopping */

static bool open_parts(struct zap *zap, void *context)
{
    const int linger_ms = 0;
    zap->table = calloc(1, sizeof *zap->table);
    zap->next = calloc(1, sizeof *zap->next);
    zap->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    zap->replies = zmq_socket(context, ZMQ_REP);
    return zap->table != NULL && zap->next != NULL && zap->stop_fd >= 0 && zap->replies != NULL &&
           zmq_setsockopt(zap->replies, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 &&
           zmq_bind(zap->replies, ZAP_ENDPOINT) == 0;
}

struct zap *zap_open(void *context, const char *folder, char *why, size_t why_bytes)
{
    struct zap *zap = calloc(1, sizeof *zap);
    snprintf(why, why_bytes, "out of memory or handles");
    if (zap == NULL) return NULL;
    zap->stop_fd = -1;
    pthread_mutex_init(&zap->lock, NULL);
    snprintf(zap->folder, sizeof zap->folder, "%s/%s", folder, KEYS_AUTHORIZED);
    if (open_parts(zap, context) && read_anew(zap, why, why_bytes)) {
        /* The socket was opened here and is the thread's from now on: its start is the fence between. */
        zap->has_thread = pthread_create(&zap->thread, NULL, serve, zap) == 0;
        if (zap->has_thread) return zap;
    }
    zap_close(zap);
    return NULL;
}

void zap_close(struct zap *zap)
{
    if (zap == NULL) return;
    if (zap->has_thread) {
        eventfd_write(zap->stop_fd, 1);
        pthread_join(zap->thread, NULL);
    }
    if (zap->replies != NULL) zmq_close(zap->replies);
    if (zap->stop_fd >= 0) close(zap->stop_fd);
    if (zap->entries != NULL) closedir(zap->entries);
    pthread_mutex_destroy(&zap->lock);
    free(zap->table);
    free(zap->next);
    free(zap);
}
