#include "curve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define FOR_OTHERS    (S_IRWXG | S_IRWXO)
#define WRITE_OTHERS  (S_IWGRP | S_IWOTH)
#define KEY_BYTES     32
#define LETTERS       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_LETTERS  LETTERS "0123456789._-"
#define TEMPORARY_END ".new"

static bool __attribute__((format(printf, 3, 4))) refuse(char *why, size_t why_bytes, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why, why_bytes, format, values);
    va_end(values);
    return false;
}

bool key_name_is_sound(const char *name)
{
    const size_t size = strlen(name);
    return size > 0 && size < KEY_NAME_BYTES && name[0] != '.' && strspn(name, NAME_LETTERS) == size;
}

bool key_make(struct key *key, enum key_role role, const char *name)
{
    *key = (struct key){.role = role};
    snprintf(key->name, sizeof key->name, "%s", name);
    return zmq_curve_keypair(key->public_text, key->secret_text) == 0;
}

/* Reading */

static bool is_key_text(const char *text)
{
    uint8_t bytes[KEY_BYTES];
    return strlen(text) == KEY_TEXT_BYTES - 1 && zmq_z85_decode(bytes, text) != NULL;
}

static bool take_key_text(char to[KEY_TEXT_BYTES], const char *value)
{
    if (to[0] != 0 || !is_key_text(value)) return false;
    memcpy(to, value, KEY_TEXT_BYTES);
    return true;
}

/* Takes one line. False: the word is not known, came before, or its value is none. */
static bool take_line(struct key *key, const char *word, const char *value)
{
    if (strcmp(word, "public") == 0) return take_key_text(key->public_text, value);
    if (strcmp(word, "secret") == 0) return take_key_text(key->secret_text, value);
    if (strcmp(word, "role") == 0 && key->role == KEY_NONE) {
        key->role = role_from_name(value);
        return key->role != KEY_NONE;
    }
    if (strcmp(word, "name") != 0 || key->name[0] != 0 || !key_name_is_sound(value)) return false;
    memcpy(key->name, value, strlen(value) + 1);
    return true;
}

/* Reads the text apart in place. 0, or the number of the first line that is wrong. */
static unsigned parse(struct key *key, char *text)
{
    unsigned number = 0;
    for (char *line = text, *next; *line != 0; line = next) {
        number++;
        next = line + strcspn(line, "\n");
        if (*next != 0) *next++ = 0;
        char *value = strchr(line, ' ');
        if (value == NULL) return number;
        *value++ = 0;
        if (!take_line(key, line, value)) return number;
    }
    return 0;
}

static bool secret_fits(const struct key *key)
{
    char public_text[KEY_TEXT_BYTES];
    return zmq_curve_public(public_text, key->secret_text) == 0 && strcmp(public_text, key->public_text) == 0;
}

static bool check_key(const char *path, bool secret, const struct key *key, char *why, size_t why_bytes)
{
    if (key->role == KEY_NONE || key->name[0] == 0 || key->public_text[0] == 0)
        return refuse(why, why_bytes, "%s: no key: lines `role`, `name` and `public` are needed", path);
    if (!secret && key->secret_text[0] != 0)
        return refuse(why, why_bytes, "%s: a secret key stands in the file of a public one", path);
    if (secret && (key->secret_text[0] == 0 || !secret_fits(key)))
        return refuse(why, why_bytes, "%s: the secret key is missing, or is not that of the public one", path);
    return true;
}

/* The whole text of the open file; at most KEY_FILE_BYTES - 1. */
static bool read_text(int fd, char text[KEY_FILE_BYTES])
{
    size_t size = 0;
    while (size < KEY_FILE_BYTES) {
        const ssize_t got = read(fd, text + size, KEY_FILE_BYTES - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        size += (size_t)got;
    }
    if (size == KEY_FILE_BYTES || memchr(text, 0, size) != NULL) {
        errno = EINVAL;
        return false;
    }
    text[size] = 0;
    return true;
}

/* Whoever owns a file or folder may change what is in it, whatever its mode. */
static bool check_owner(const struct stat *info, const char *path, char *why, size_t why_bytes)
{
    if (info->st_uid == geteuid() || info->st_uid == 0) return true;
    return refuse(why, why_bytes, "%s: it belongs to user %u; allowed are root and whom this program runs as (%u)",
                  path, (unsigned)info->st_uid, (unsigned)geteuid());
}

static bool check_access(int fd, const char *path, bool secret, char *why, size_t why_bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return refuse(why, why_bytes, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return refuse(why, why_bytes, "%s: it is no file", path);
    if (!check_owner(&info, path, why, why_bytes)) return false;
    if (secret && (info.st_mode & FOR_OTHERS) != 0)
        return refuse(why, why_bytes, "%s: others have access to this secret key (mode %04o); allowed is 0600", path,
                      info.st_mode & 07777);
    if ((info.st_mode & WRITE_OTHERS) != 0)
        return refuse(why, why_bytes, "%s: others may write this key (mode %04o); allowed are 0600 and 0644", path,
                      info.st_mode & 07777);
    return true;
}

bool key_read(const char *path, bool secret, struct key *key, char *why, size_t why_bytes)
{
    char text[KEY_FILE_BYTES] = "";
    *key = (struct key){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        const int error = errno;
        refuse(why, why_bytes, "%s: %s", path, strerror(error));
        errno = error;
        return false;
    }
    bool sound = check_access(fd, path, secret, why, why_bytes);
    if (sound && !read_text(fd, text)) sound = refuse(why, why_bytes, "%s: it is no key file", path);
    close(fd);
    const unsigned wrong = sound ? parse(key, text) : 0;
    if (wrong > 0)
        sound = refuse(why, why_bytes, "%s:%u: allowed are lines `role`, `name`, `public` and `secret`, once each",
                       path, wrong);
    explicit_bzero(text, sizeof text);
    sound = sound && check_key(path, secret, key, why, why_bytes);
    if (!sound) explicit_bzero(key, sizeof *key);
    return sound;
}

/* Writing */

static bool write_whole(int fd, const char *text)
{
    for (size_t at = 0, size = strlen(text); at < size;) {
        const ssize_t written = write(fd, text + at, size - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        at += (size_t)written;
    }
    return fsync(fd) == 0;
}

/* Gives the file its name unless something has it already. Some file systems cannot rename so; a second
 * name and the loss of the first one come to the same. */
static bool rename_anew(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
    return errno == EINVAL && link(from, to) == 0 && unlink(from) == 0;
}

static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1, slash != NULL ? path : ".");
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

bool key_write(const char *path, bool secret, const struct key *key, char *why, size_t why_bytes)
{
    char temporary[PATH_MAX], text[KEY_FILE_BYTES];
    if (snprintf(temporary, sizeof temporary, "%s%s", path, TEMPORARY_END) >= (int)sizeof temporary)
        return refuse(why, why_bytes, "%.64s...: the path is too long", path);
    snprintf(text, sizeof text, "role %s\nname %s\npublic %s\n%s%s%s", role_name(key->role), key->name,
             key->public_text, secret ? "secret " : "", secret ? key->secret_text : "", secret ? "\n" : "");
    unlink(temporary); /* of a call that was cut short */
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool written = fd >= 0 && write_whole(fd, text) && rename_anew(temporary, path);
    const int error = errno;
    explicit_bzero(text, sizeof text);
    if (fd >= 0) close(fd);
    if (written) {
        sync_folder_of(path);
        return true;
    }
    if (fd >= 0) unlink(temporary);
    return refuse(why, why_bytes, "%s: %s", path,
                  error == EEXIST ? "it is there already, and no key is overwritten" : strerror(error));
}

/* The folder */

const char *keys_choose(const char *flag)
{
    const char *folder = flag != NULL ? flag : getenv(KEYS_VARIABLE);
    return folder != NULL && *folder != 0 ? folder : NULL;
}

bool keys_check_folder(const char *path, char *why, size_t why_bytes)
{
    struct stat info;
    if (stat(path, &info) != 0) return refuse(why, why_bytes, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode)) return refuse(why, why_bytes, "%s: it is no folder", path);
    if (!check_owner(&info, path, why, why_bytes)) return false;
    if ((info.st_mode & WRITE_OTHERS) == 0) return true;
    return refuse(why, why_bytes, "%s: others may write to this folder of keys (mode %04o); allowed is 0700", path,
                  info.st_mode & 07777);
}

static bool read_of(const struct keys *keys, const char *name, enum key_role role, struct key *key, char *why,
                    size_t why_bytes)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", keys->folder, name);
    if (!key_read(path, strstr(name, ".key") != NULL, key, why, why_bytes)) return false;
    if (key->role == role) return true;
    return refuse(why, why_bytes, "%s: the key of a %s; that of a %s is needed", path, role_name(key->role),
                  role_name(role));
}

static bool has_admin_key(const struct keys *keys)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/admin.key", keys->folder);
    return access(path, F_OK) == 0;
}

bool keys_open(struct keys *keys, const char *folder, enum key_role role, char *why, size_t why_bytes)
{
    const bool serves = role == KEY_SERVER || role == KEY_AGGREGATOR;
    char name[32];
    *keys = (struct keys){0};
    if (snprintf(keys->folder, sizeof keys->folder, "%s", folder) >= (int)sizeof keys->folder)
        return refuse(why, why_bytes, "%.64s...: the path is too long", folder);
    if (!keys_check_folder(folder, why, why_bytes)) return false;
    if (!read_of(keys, serves ? "server.key" : "server.pub", KEY_SERVER, &keys->server, why, why_bytes)) return false;
    if (role == KEY_SERVER) return true;
    if (role == KEY_CLIENT && has_admin_key(keys)) role = KEY_ADMIN;
    snprintf(name, sizeof name, "%s.key", role_name(role));
    if (read_of(keys, name, role, &keys->own, why, why_bytes)) return true;
    keys_close(keys);
    return false;
}

void keys_close(struct keys *keys)
{
    explicit_bzero(keys, sizeof *keys);
}
