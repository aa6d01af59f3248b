#include "plugin.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "digest.h"
#include "fault.h"
#include "registry.h"

#define SUFFIX    ".so"
#define NAMES_MAX 64 /* file descriptors tried, see choose_path() */
#define PATH_SIZE 4096

static_assert(MODEL_VERSION_BYTES + 1 + PLUGIN_HEX == SWEEP_NAME_BYTES, "a version and its digits fit a sweep");

struct reason {
    char *why;
    size_t why_bytes;
};

static bool __attribute__((format(printf, 2, 3))) refuse(const struct reason *reason, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(reason->why, reason->why_bytes, format, values);
    va_end(values);
    return false;
}

/* --- names --- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool ends_in_suffix(const char *name)
{
    const size_t size = strlen(name);
    return size >= strlen(SUFFIX) && strcmp(name + size - strlen(SUFFIX), SUFFIX) == 0;
}

/* A name that is one file of a folder, whoever sends it. */
static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+._";
    return name[0] != '.' && name[0] != '-' && name[strspn(name, allowed)] == '\0' && strlen(name) < SWEEP_NAME_BYTES &&
           ends_in_suffix(name);
}

/* --- the file --- */

static bool read_all(int fd, size_t size, struct buffer *bytes)
{
    while (bytes->size < size) {
        uint8_t piece[65536];
        const size_t left = size - bytes->size;
        const ssize_t got = read(fd, piece, left < sizeof piece ? left : sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        buffer_append(bytes, piece, (size_t)got);
        if (bytes->failed) return false;
    }
    return true;
}

static bool read_file(const char *path, struct buffer *bytes, const struct reason *reason)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    bool read = false;
    if (fd < 0 || fstat(fd, &info) != 0) refuse(reason, "it cannot be read: %s", strerror(errno));
    else if (!S_ISREG(info.st_mode)) refuse(reason, "it is no file");
    else if (info.st_size > PLUGIN_BYTES_MAX) refuse(reason, "it is larger than %u bytes", PLUGIN_BYTES_MAX);
    else read = read_all(fd, (size_t)info.st_size, bytes) || refuse(reason, "it cannot be read to its end");
    if (fd >= 0) close(fd);
    return read;
}

/* --- loading --- */

/* Whether all that the loader maps is there: of a file that was cut off it would map pages that do not exist, and
 * the first look at one ends the process. What is no object of this machine is for the loader to refuse. */
static bool is_whole(struct span bytes)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;
    if (bytes.size < sizeof head) return true;
    memcpy(&head, bytes.data, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof segment) return true;
    if (head.e_phoff > bytes.size || head.e_phnum > (bytes.size - head.e_phoff) / sizeof segment) return false;
    for (size_t at = 0; at < head.e_phnum; at++) {
        memcpy(&segment, bytes.data + head.e_phoff + at * sizeof segment, sizeof segment);
        if (segment.p_type != PT_LOAD) continue;
        if (segment.p_offset > bytes.size || segment.p_filesz > bytes.size - segment.p_offset) return false;
    }
    return true;
}

/* The bytes as a file that nobody else can reach or change. -1: errno says why. */
static int seal(struct span bytes)
{
    const int fd = memfd_create("model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    for (size_t at = 0; fd >= 0 && at < bytes.size;) {
        const ssize_t size = write(fd, bytes.data + at, bytes.size - at);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) {
            close(fd);
            return -1;
        }
        at += (size_t)size;
    }
    if (fd >= 0) fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}

/* The loader knows objects by their path and hands out again what it has under one. An object that stays
 * after dlclose() (it may ask for that) keeps the path of a descriptor that is used anew: take another. */
static bool choose_path(int fd, int taken[NAMES_MAX], size_t *count, char *path, size_t path_bytes)
{
    for (*count = 0;; fd = taken[(*count)++] = dup(fd)) {
        if (fd < 0) return false;
        snprintf(path, path_bytes, "/proc/self/fd/%d", fd);
        void *known = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
        if (known == NULL) return true;
        dlclose(known);
        if (*count == NAMES_MAX) return false;
    }
}

/* What the loader says, without the path that says nothing. */
static const char *loader_says(const char *path)
{
    const char *text = dlerror();
    if (text == NULL) return "the loader does not say why";
    const size_t size = strlen(path);
    return strncmp(text, path, size) == 0 && strncmp(text + size, ": ", 2) == 0 ? text + size + 2 : text;
}

static void *load(struct span bytes, const struct reason *reason)
{
    int taken[NAMES_MAX];
    size_t count = 0;
    char path[32];
    void *handle = NULL;
    if (!is_whole(bytes)) return refuse(reason, "it ends too early: was it copied whole?"), NULL;
    const int fd = seal(bytes);
    if (fd < 0) refuse(reason, "no memory to load it: %s", strerror(errno));
    else if (!choose_path(fd, taken, &count, path, sizeof path)) refuse(reason, "no descriptor is free to load it");
    else if (!(handle = dlopen(path, RTLD_NOW | RTLD_LOCAL))) refuse(reason, "%s", loader_says(path));
    call_ended();
    while (count > 0)
        if (taken[--count] >= 0) close(taken[count]);
    if (fd >= 0) close(fd);
    return handle;
}

static bool check_offer(const struct model *offer, const struct reason *reason)
{
    char why[MODEL_WHY_BYTES];
    if (offer == NULL) return refuse(reason, "it does not offer a model of ABI %u", MODEL_ABI);
    if (model_fault(offer, why)) return refuse(reason, "%s", why);
    if (strlen(offer->version) < MODEL_VERSION_BYTES) return true;
    return refuse(reason, "its version is too long; allowed are %d bytes", MODEL_VERSION_BYTES - 1);
}

static bool ask(struct plugin *plugin, const struct reason *reason)
{
    const struct model *(*offer_model)(uint32_t abi);
    void *symbol = dlsym(plugin->handle, MODEL_SYMBOL);
    if (symbol == NULL) return refuse(reason, "it does not export %s()", MODEL_SYMBOL);
    memcpy(&offer_model, &symbol, sizeof offer_model); /* POSIX lets it be a function; ISO C has no cast for that */
    const struct model *offer = offer_model(MODEL_ABI);
    call_ended();
    if (!check_offer(offer, reason)) return false;
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&plugin->digest, hex);
    snprintf(plugin->version, sizeof plugin->version, "%s+%.*s", offer->version, PLUGIN_HEX, hex);
    plugin->model = *offer;
    plugin->model.name = plugin->name;
    plugin->model.version = plugin->version;
    return true;
}

/* Reads and hashes; nothing of it runs yet. */
static struct plugin *read_plugin(const char *path, const struct reason *reason)
{
    struct plugin *plugin = calloc(1, sizeof *plugin);
    if (plugin == NULL) {
        refuse(reason, "out of memory");
        return NULL;
    }
    snprintf(plugin->name, sizeof plugin->name, "%s", base_of(path));
    if (read_file(path, &plugin->bytes, reason)) {
        plugin->digest = digest_of(buffer_span(&plugin->bytes));
        return plugin;
    }
    plugin_close(plugin);
    return NULL;
}

static bool start(struct plugin *plugin, const struct reason *reason)
{
    plugin->handle = load(buffer_span(&plugin->bytes), reason);
    return plugin->handle != NULL && ask(plugin, reason);
}

struct plugin *plugin_open(const char *path, char *why, size_t why_bytes)
{
    const struct reason reason = {why, why_bytes};
    if (!is_name(base_of(path))) {
        refuse(&reason, "a model's file has a name of letters, digits, - + . _, below %d bytes, that ends in %s",
               SWEEP_NAME_BYTES, SUFFIX);
        return NULL;
    }
    struct plugin *plugin = read_plugin(path, &reason);
    if (plugin == NULL || start(plugin, &reason)) return plugin;
    plugin_close(plugin);
    return NULL;
}

void plugin_close(struct plugin *plugin)
{
    if (plugin == NULL) return;
    if (plugin->handle != NULL) dlclose(plugin->handle);
    call_ended();
    buffer_free(&plugin->bytes);
    free(plugin);
}

/* --- what a sweep names --- */

/* The digits behind the last '+', or NULL. */
static const char *digits_of(const char *version)
{
    const char *plus = strrchr(version, '+');
    const bool sound = plus != NULL && strspn(plus + 1, "0123456789abcdef") == PLUGIN_HEX && !plus[1 + PLUGIN_HEX];
    return sound ? plus + 1 : NULL;
}

static const struct model *find_built_in(const struct sweep *sweep, const struct reason *reason)
{
    const struct model *model = model_find(sweep->model);
    if (model == NULL) refuse(reason, "no model is called %s here", sweep->model);
    else if (strcmp(model->version, sweep->model_version) == 0) return model;
    else
        refuse(reason, "the sweep is for version %s of model %s; here is version %s", sweep->model_version,
               sweep->model, model->version);
    return NULL;
}

static struct plugin *read_named(const char *folder, const struct sweep *sweep, const struct reason *reason)
{
    char path[PATH_SIZE], hex[DIGEST_HEX_BYTES], fault[160];
    const struct reason detail = {fault, sizeof fault};
    const char *digits = digits_of(sweep->model_version);
    if (!is_name(sweep->model) || digits == NULL) {
        refuse(reason, "the sweep names no model that could be loaded");
        return NULL;
    }
    if (folder == NULL) {
        refuse(reason, "model %s with SHA-256 %s is wanted, and there is no --models DIR", sweep->model, digits);
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s", folder, sweep->model);
    struct plugin *plugin = read_plugin(path, &detail);
    if (plugin == NULL) {
        refuse(reason, "model %s with SHA-256 %s is not in --models: %s: %s", sweep->model, digits, fault, folder);
        return NULL;
    }
    digest_to_hex(&plugin->digest, hex);
    if (strncmp(hex, digits, PLUGIN_HEX) == 0) return plugin;
    refuse(reason, "model %s with SHA-256 %s is wanted; that in --models has %.12s: %s", sweep->model, digits, hex,
           folder);
    plugin_close(plugin);
    return NULL;
}

static struct plugin *find_file(const char *folder, const struct sweep *sweep, const struct reason *reason)
{
    char fault[PLUGIN_WHY_BYTES];
    const struct reason detail = {fault, sizeof fault};
    struct plugin *plugin = read_named(folder, sweep, reason);
    if (plugin == NULL) return NULL;
    bool sound = start(plugin, &detail) || refuse(reason, "model %s: %s", sweep->model, fault);
    if (sound && strcmp(plugin->version, sweep->model_version) != 0)
        sound = refuse(reason, "model %s calls itself %s, and the sweep %s", sweep->model, plugin->version,
                       sweep->model_version);
    if (sound) return plugin;
    plugin_close(plugin);
    return NULL;
}

const struct model *plugin_find(const char *folder, const struct sweep *sweep, struct plugin **plugin, char *why,
                                size_t why_bytes)
{
    const struct reason reason = {why, why_bytes};
    *plugin = NULL;
    if (!model_is_file(sweep->model)) return find_built_in(sweep, &reason);
    *plugin = find_file(folder, sweep, &reason);
    return *plugin ? &(*plugin)->model : NULL;
}
