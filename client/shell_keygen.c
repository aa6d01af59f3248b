/* goldthread keygen: the keys of servers, workers and people; docs/security.md. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "curve.h"
#include "shell_commands.h"
#include "shell_files.h"

#define FOLDER_MODE 0700

struct keygen {
    const char *folder;
    unsigned made;
    char why[KEY_WHY_BYTES + PATH_MAX];
};

/* Where keys stand: NAME in the folder, or in one below it. Too long a path is refused before. */
struct path {
    char text[PATH_MAX];
};

static struct path path_of(const struct keygen *keygen, const char *below, const char *name, const char *suffix)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%s%s%s%s", keygen->folder, below, *below ? "/" : "", name, suffix);
    return path;
}

static bool is_there(const struct path *path)
{
    struct stat info;
    return lstat(path->text, &info) == 0;
}

static bool write_key(struct keygen *keygen, const struct path *path, bool secret, const struct key *key)
{
    if (!key_write(path->text, secret, key, keygen->why, sizeof keygen->why)) return false;
    printf("%s\n", path->text);
    keygen->made++;
    return true;
}

static bool make_folder(struct keygen *keygen, const struct path *path)
{
    return folder_make(path->text, FOLDER_MODE, keygen->why, sizeof keygen->why) &&
           keys_check_folder(path->text, keygen->why, sizeof keygen->why);
}

static bool make_pair(struct keygen *keygen, struct key *key, enum key_role role, const char *name)
{
    if (key_make(key, role, name)) return true;
    snprintf(keygen->why, sizeof keygen->why, "no key can be made: this ZeroMQ has no CURVE");
    return false;
}

/* What the servers are called by. The public file can be made again from the secret one. */
static bool make_server(struct keygen *keygen, struct key *key)
{
    const struct path secret = path_of(keygen, "", "server", ".key"), public = path_of(keygen, "", "server", ".pub");
    if (is_there(&secret)) {
        if (!key_read(secret.text, true, key, keygen->why, sizeof keygen->why)) return false;
    } else {
        if (is_there(&public)) {
            snprintf(keygen->why, sizeof keygen->why, "%s: it is there without its server.key", public.text);
            return false;
        }
        if (!make_pair(keygen, key, KEY_SERVER, "server") || !write_key(keygen, &secret, true, key)) return false;
    }
    return is_there(&public) || write_key(keygen, &public, false, key);
}

/* The key goes to `below`, and the servers will know it: that last, so that nothing is known which is not there. */
static bool make_key(struct keygen *keygen, const char *below, enum key_role role, const char *name)
{
    struct key key;
    const struct path secret = path_of(keygen, below, role_name(role), ".key"),
                      public = path_of(keygen, KEYS_AUTHORIZED, name, ".pub");
    const bool made = make_pair(keygen, &key, role, name) && write_key(keygen, &secret, true, &key) &&
                      write_key(keygen, &public, false, &key);
    explicit_bzero(&key, sizeof key);
    return made;
}

static bool is_made(const struct keygen *keygen, enum key_role role)
{
    const struct path secret = path_of(keygen, "", role_name(role), ".key"),
                      public = path_of(keygen, KEYS_AUTHORIZED, role_name(role), ".pub");
    return is_there(&secret) || is_there(&public);
}

static bool make_missing(struct keygen *keygen, enum key_role role)
{
    return is_made(keygen, role) || make_key(keygen, "", role, role_name(role));
}

/* A folder to hand out: the key of one person or machine, and whom it may believe. */
static bool make_handout(struct keygen *keygen, enum key_role role, const char *name, const struct key *server)
{
    const struct path folder = path_of(keygen, "", name, ""), public = path_of(keygen, name, "server", ".pub");
    return make_folder(keygen, &folder) && write_key(keygen, &public, false, server) &&
           make_key(keygen, name, role, name);
}

static bool make_all(struct keygen *keygen, enum key_role role, const char *name)
{
    struct key server;
    const struct path top = path_of(keygen, "", "", ""), authorized = path_of(keygen, "", KEYS_AUTHORIZED, "");
    bool made = make_folder(keygen, &top) && make_folder(keygen, &authorized) && make_server(keygen, &server) &&
                make_missing(keygen, KEY_AGGREGATOR);
    if (made && name) made = make_handout(keygen, role, name, &server);
    else if (made && role != KEY_NONE) made = make_key(keygen, "", role, role_name(role));
    else
        made = made && make_missing(keygen, KEY_WORKER) && make_missing(keygen, KEY_CLIENT) &&
               make_missing(keygen, KEY_ADMIN);
    explicit_bzero(&server, sizeof server);
    return made;
}

static bool refuse(struct keygen *keygen, const struct path *path)
{
    snprintf(keygen->why, sizeof keygen->why, "%s: it is there already, and no key is overwritten", path->text);
    return false;
}

/* Before anything is written. */
static bool check_free(struct keygen *keygen, enum key_role role, const char *name)
{
    if (role == KEY_NONE) return true;
    const struct path secret = path_of(keygen, "", name ? name : role_name(role), name ? "" : ".key"),
                      public = path_of(keygen, KEYS_AUTHORIZED, name ? name : role_name(role), ".pub");
    if (is_there(&secret)) return refuse(keygen, &secret);
    return is_there(&public) ? refuse(keygen, &public) : true;
}

static bool check_words(struct keygen *keygen, const struct options *options, enum key_role *role)
{
    *role = options->role ? role_from_name(options->role) : KEY_NONE;
    if (options->role && *role != KEY_CLIENT && *role != KEY_WORKER && *role != KEY_ADMIN)
        snprintf(keygen->why, sizeof keygen->why, "--role %.32s: allowed are client, worker, admin", options->role);
    else if (options->name && !options->role)
        snprintf(keygen->why, sizeof keygen->why, "--name needs --role: a client, worker or admin");
    else if (options->name && (!key_name_is_sound(options->name) || strcmp(options->name, KEYS_AUTHORIZED) == 0))
        snprintf(keygen->why, sizeof keygen->why,
                 "--name %.40s: allowed are up to %d letters, digits, . _ - (no . first)", options->name,
                 KEY_NAME_BYTES - 1);
    else if (strlen(keygen->folder) >= KEYS_FOLDER_BYTES)
        snprintf(keygen->why, sizeof keygen->why, "%.64s...: the path is too long", keygen->folder);
    else return check_free(keygen, *role, options->name);
    return false;
}

enum exit_status command_keygen(const struct options *options)
{
    struct keygen keygen = {.folder = options->operand};
    enum key_role role;
    bool made = check_words(&keygen, options, &role) && make_all(&keygen, role, options->name);
    if (made && keygen.made == 0) {
        snprintf(keygen.why, sizeof keygen.why, "%s: every key is there already, and none is overwritten",
                 keygen.folder);
        made = false;
    }
    if (made) return STATUS_DONE;
    fprintf(stderr, "goldthread keygen: %s\n", keygen.why);
    return STATUS_USAGE;
}
