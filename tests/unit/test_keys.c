/* Keys in files, what roles may say, and which endpoints need keys. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../skip.h"
#include "net/curve.h"
#include "net/socket.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static char folder[32], why[KEY_WHY_BYTES];

static void open_folder(void)
{
    strcpy(folder, "/tmp/gt-keys-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static void close_folder(void)
{
    if (chdir("/") == 0) nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(keys, .init = open_folder, .fini = close_folder);

static struct key new_key(enum key_role role, const char *name)
{
    struct key key;
    cr_assert(key_make(&key, role, name));
    return key;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
    cr_assert_eq(chmod(path, 0600), 0);
}

static unsigned mode_of(const char *path)
{
    struct stat info;
    cr_assert_eq(stat(path, &info), 0, "%s", path);
    return info.st_mode & 07777;
}

Test(keys, a_key_comes_back_as_it_was_written_and_only_its_owner_may_read_it)
{
    const struct key key = new_key(KEY_WORKER, "w.1-a_B");
    struct key back;
    umask(0);
    cr_assert(key_write("w.key", true, &key, why, sizeof why), "%s", why);
    cr_assert(key_write("w.pub", false, &key, why, sizeof why), "%s", why);
    cr_expect_eq(mode_of("w.key"), 0600);
    cr_expect_eq(mode_of("w.pub"), 0600);
    cr_assert(key_read("w.key", true, &back, why, sizeof why), "%s", why);
    cr_expect_eq(memcmp(&key, &back, sizeof key), 0);
    cr_assert(key_read("w.pub", false, &back, why, sizeof why), "%s", why);
    cr_expect_eq(back.role, KEY_WORKER);
    cr_expect_str_eq(back.name, "w.1-a_B");
    cr_expect_str_eq(back.public_text, key.public_text);
    cr_expect_str_empty(back.secret_text, "a public file has no secret");
    cr_expect_neq(access("w.key.new", F_OK), 0, "nothing is left beside");
}

Test(keys, a_key_is_never_written_over_another_one)
{
    const struct key first = new_key(KEY_CLIENT, "one"), second = new_key(KEY_CLIENT, "two");
    struct key back;
    cr_assert(key_write("c.key", true, &first, why, sizeof why), "%s", why);
    cr_expect_not(key_write("c.key", true, &second, why, sizeof why));
    cr_expect_not_null(strstr(why, "c.key: it is there already"), "%s", why);
    cr_expect_neq(access("c.key.new", F_OK), 0);
    cr_assert(key_read("c.key", true, &back, why, sizeof why), "%s", why);
    cr_expect_str_eq(back.name, "one");
    cr_expect_not(key_write("no/such/folder/c.key", true, &first, why, sizeof why));
}

Test(keys, what_an_interrupted_writer_left_is_replaced)
{
    const struct key key = new_key(KEY_CLIENT, "one");
    write_text("c.key.new", "role cl");
    cr_assert(key_write("c.key", true, &key, why, sizeof why), "%s", why);
    cr_expect_neq(access("c.key.new", F_OK), 0);
}

Test(keys, a_secret_that_others_have_access_to_is_refused)
{
    static const unsigned modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666, 0777};
    const struct key key = new_key(KEY_WORKER, "w");
    struct key back;
    cr_assert(key_write("w.key", true, &key, why, sizeof why));
    for (size_t row = 0; row < COUNT_OF(modes); row++) {
        cr_assert_eq(chmod("w.key", modes[row]), 0);
        cr_expect_not(key_read("w.key", true, &back, why, sizeof why), "%04o", modes[row]);
        cr_expect_not_null(strstr(why, "w.key: others have access"), "%04o: %s", modes[row], why);
        cr_expect_str_empty(back.secret_text, "%04o", modes[row]);
    }
    cr_assert_eq(chmod("w.key", 0400), 0);
    cr_expect(key_read("w.key", true, &back, why, sizeof why), "%s", why);
}

Test(keys, what_belongs_to_somebody_else_is_refused)
{
    enum { SOMEBODY = 65534 };
    if (geteuid() != 0) skip_visibly("only root can give files away");
    const struct key key = new_key(KEY_WORKER, "w");
    struct key back;
    cr_assert(key_write("w.key", true, &key, why, sizeof why) && key_write("w.pub", false, &key, why, sizeof why));
    cr_assert(chown("w.key", SOMEBODY, (gid_t)-1) == 0 && chown("w.pub", SOMEBODY, (gid_t)-1) == 0);
    cr_expect_not(key_read("w.key", true, &back, why, sizeof why));
    cr_expect_not_null(strstr(why, "w.key: it belongs to user 65534; allowed are root"), "%s", why);
    cr_expect_not(key_read("w.pub", false, &back, why, sizeof why), "its owner could let in whom he likes");
    mkdir("d", 0700);
    cr_assert_eq(chmod(".", 0755), 0);
    cr_assert_eq(chown("d", SOMEBODY, (gid_t)-1), 0);
    cr_expect_not(keys_check_folder("d", why, sizeof why));
    cr_assert_eq(seteuid(SOMEBODY), 0);
    cr_expect(keys_check_folder("d", why, sizeof why), "its own: %s", why);
    cr_assert_eq(seteuid(0), 0);
}

Test(keys, a_public_key_may_be_read_by_others_but_not_written)
{
    const struct key key = new_key(KEY_WORKER, "w");
    struct key back;
    cr_assert(key_write("w.pub", false, &key, why, sizeof why));
    chmod("w.pub", 0644);
    cr_expect(key_read("w.pub", false, &back, why, sizeof why), "%s", why);
    for (unsigned bit = 020; bit >= 02; bit >>= 3) {
        chmod("w.pub", 0600 | bit);
        cr_expect_not(key_read("w.pub", false, &back, why, sizeof why), "%04o", bit);
    }
    mkdir("d", 0700);
    cr_expect(keys_check_folder("d", why, sizeof why), "%s", why);
    chmod("d", 0755);
    cr_expect(keys_check_folder("d", why, sizeof why), "others may look: the secrets are closed");
    chmod("d", 0770);
    cr_expect_not(keys_check_folder("d", why, sizeof why), "others might bring in keys of their own");
}

#define GOOD   "role worker\nname w\n"
#define PUBLIC "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* the pair of ZeroMQ's RFC 26 */
#define SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define OTHER  "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

Test(keys, a_file_that_is_no_sound_key_is_refused_with_the_reason)
{
    static const struct {
        const char *text;
        bool secret;
        const char *why;
    } rows[] = {
        {"", false, "no key"},
        {GOOD, false, "no key"},
        {"role worker\npublic " PUBLIC "\n", false, "no key"},
        {"name w\npublic " PUBLIC "\n", false, "no key"},
        {"role king\nname w\npublic " PUBLIC "\n", false, ":1:"},
        {"role trusted\nname w\npublic " PUBLIC "\n", false, ":1:"},
        {GOOD "role admin\npublic " PUBLIC "\n", false, ":3:"},
        {GOOD "public " PUBLIC "\npublic " OTHER "\n", false, ":4:"},
        {"role worker\nname ../w\npublic " PUBLIC "\n", false, ":2:"},
        {"role worker\nname .w\npublic " PUBLIC "\n", false, ":2:"},
        {"role worker\nname 0123456789012345678901234567890123\npublic " PUBLIC "\n", false, ":2:"},
        {GOOD "public rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\n", false, ":3:"},
        {GOOD "public " PUBLIC "7\n", false, ":3:"},
        {GOOD "public \"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\n", false,
         ":3:"},
        {GOOD "public " PUBLIC "\nmore of it\n", false, ":4:"},
        {GOOD "public\n", false, ":3:"},
        {GOOD "\npublic " PUBLIC "\n", false, ":3:"},
        {GOOD "public " PUBLIC "\nsecret " SECRET "\n", false, "a secret key stands"},
        {GOOD "public " PUBLIC "\n", true, "the secret key is missing"},
        {GOOD "public " OTHER "\nsecret " SECRET "\n", true, "is not that of the public one"},
    };
    struct key key;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        write_text("x", rows[row].text);
        cr_expect_not(key_read("x", rows[row].secret, &key, why, sizeof why), "row %zu", row);
        cr_expect_not_null(strstr(why, rows[row].why), "row %zu: %s", row, why);
        cr_expect(key.role == KEY_NONE && key.public_text[0] == 0 && key.secret_text[0] == 0, "row %zu", row);
    }
    write_text("x", GOOD "public " PUBLIC "\nsecret " SECRET "\n");
    cr_expect(key_read("x", true, &key, why, sizeof why), "%s", why);
}

Test(keys, what_is_no_small_file_is_refused)
{
    struct key key;
    char large[KEY_FILE_BYTES + 1];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = 0;
    write_text("large", large);
    cr_expect_not(key_read("large", false, &key, why, sizeof why));
    const int fd = open("zero", O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(write(fd, GOOD "\0public " PUBLIC "\n", sizeof GOOD "\0public " PUBLIC "\n" - 1),
                 sizeof GOOD "\0public " PUBLIC "\n" - 1);
    close(fd);
    cr_expect_not(key_read("zero", false, &key, why, sizeof why));
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    cr_expect_not(key_read("pipe", false, &key, why, sizeof why), "and it does not wait for a writer");
    cr_expect_not(key_read(".", false, &key, why, sizeof why));
    cr_expect_not(key_read("missing", false, &key, why, sizeof why));
    cr_expect_not_null(strstr(why, "missing: No such file"), "%s", why);
}

static void write_pair(enum key_role role)
{
    const struct key key = new_key(role, role_name(role));
    char path[32];
    snprintf(path, sizeof path, "%s.key", role_name(role));
    cr_assert(key_write(path, true, &key, why, sizeof why), "%s", why);
    if (role == KEY_SERVER) cr_assert(key_write("server.pub", false, &key, why, sizeof why), "%s", why);
}

Test(keys, each_program_reads_what_its_role_needs_and_no_more)
{
    struct keys keys;
    write_pair(KEY_SERVER);
    cr_assert(keys_open(&keys, folder, KEY_SERVER, why, sizeof why), "%s", why);
    cr_expect(keys.server.secret_text[0] != 0 && keys.own.role == KEY_NONE);
    cr_expect_not(keys_open(&keys, folder, KEY_WORKER, why, sizeof why));
    cr_expect_not_null(strstr(why, "worker.key"), "%s", why);
    write_pair(KEY_AGGREGATOR);
    write_pair(KEY_WORKER);
    write_pair(KEY_CLIENT);
    cr_assert(keys_open(&keys, folder, KEY_AGGREGATOR, why, sizeof why), "%s", why);
    cr_expect(keys.server.secret_text[0] != 0 && keys.own.role == KEY_AGGREGATOR);
    unlink("server.key");
    cr_assert(keys_open(&keys, folder, KEY_WORKER, why, sizeof why), "%s", why);
    cr_expect(keys.server.secret_text[0] == 0 && keys.own.role == KEY_WORKER && keys.own.secret_text[0] != 0);
    cr_assert(keys_open(&keys, folder, KEY_CLIENT, why, sizeof why), "%s", why);
    cr_expect_eq(keys.own.role, KEY_CLIENT);
    write_pair(KEY_ADMIN);
    cr_assert(keys_open(&keys, folder, KEY_CLIENT, why, sizeof why), "%s", why);
    cr_expect_eq(keys.own.role, KEY_ADMIN, "who holds the stronger key uses it");
    keys_close(&keys);
    cr_expect(keys.own.secret_text[0] == 0 && keys.server.public_text[0] == 0);
}

Test(keys, the_key_of_another_role_is_refused)
{
    struct keys keys;
    write_pair(KEY_SERVER);
    write_pair(KEY_CLIENT);
    cr_assert_eq(rename("client.key", "worker.key"), 0);
    cr_expect_not(keys_open(&keys, folder, KEY_WORKER, why, sizeof why));
    cr_expect_not_null(strstr(why, "the key of a client; that of a worker is needed"), "%s", why);
}

Test(keys, a_folder_that_others_may_write_to_is_refused)
{
    struct keys keys;
    write_pair(KEY_SERVER);
    chmod(folder, 0777);
    cr_expect_not(keys_open(&keys, folder, KEY_SERVER, why, sizeof why));
    cr_expect_not_null(strstr(why, "others may write to this folder"), "%s", why);
    cr_expect_not(keys_open(&keys, "missing", KEY_SERVER, why, sizeof why));
}

Test(keys, the_flag_wins_over_the_environment)
{
    unsetenv(KEYS_VARIABLE);
    cr_expect_null(keys_choose(NULL));
    setenv(KEYS_VARIABLE, "", 1);
    cr_expect_null(keys_choose(NULL));
    setenv(KEYS_VARIABLE, "/e", 1);
    cr_expect_str_eq(keys_choose(NULL), "/e");
    cr_expect_str_eq(keys_choose("/f"), "/f");
}

/* Roles */

static bool may(enum key_role role, enum message_kind kind)
{
    static struct message message;
    message.kind = kind;
    return role_may_send(role, &message);
}

Test(role, every_kind_is_sent_by_a_role_or_by_servers_alone)
{
    static const bool by_servers[MESSAGE_KIND_END] = {
        [MESSAGE_HELLO] = true, /* has a test of its own */
        [MESSAGE_WELCOME] = true, [MESSAGE_STRANGER] = true, [MESSAGE_ITEM] = true,     [MESSAGE_ERROR] = true,
        [MESSAGE_LEASE] = true,   [MESSAGE_FOLDED] = true,   [MESSAGE_ACCEPTED] = true, [MESSAGE_SWEEPS] = true,
        [MESSAGE_WANTED] = true,  [MESSAGE_OUTCOME] = true,  [MESSAGE_ROSTER] = true,   [MESSAGE_EXPLANATION] = true,
        [MESSAGE_RECALL] = true,
    };
    for (int kind = MESSAGE_FETCH; kind < MESSAGE_KIND_END; kind++) {
        unsigned roles = 0;
        for (int role = KEY_AGGREGATOR; role < KEY_ROLE_COUNT; role++)
            roles += may((enum key_role)role, (enum message_kind)kind);
        cr_expect_eq(roles == 0, by_servers[kind], "%s is sent by %u roles", message_kind_name((enum message_kind)kind),
                     roles);
        cr_expect(!may(KEY_NONE, (enum message_kind)kind) && !may(KEY_SERVER, (enum message_kind)kind));
        cr_expect(may(KEY_TRUSTED, (enum message_kind)kind));
    }
}

Test(role, each_role_may_say_what_is_its_own)
{
    static const enum message_kind of_workers[] = {MESSAGE_DONE, MESSAGE_FAILED, MESSAGE_PARTIAL, MESSAGE_RETURNED},
                                   of_aggregators[] = {MESSAGE_HELD, MESSAGE_STORE},
                                   of_clients[] = {MESSAGE_SUBMIT, MESSAGE_STATUS,  MESSAGE_CANCEL,
                                                   MESSAGE_RESULT, MESSAGE_WORKERS, MESSAGE_EXPLAIN,
                                                   MESSAGE_PAUSE,  MESSAGE_RESUME,  MESSAGE_RETRY},
                                   of_admins[] = {MESSAGE_DRAIN};
    for (int role = KEY_NONE; role < KEY_ROLE_COUNT; role++) {
        for (size_t at = 0; at < COUNT_OF(of_workers); at++)
            cr_expect_eq(may(role, of_workers[at]), role == KEY_WORKER, "%s", message_kind_name(of_workers[at]));
        for (size_t at = 0; at < COUNT_OF(of_aggregators); at++)
            cr_expect_eq(may(role, of_aggregators[at]), role == KEY_AGGREGATOR);
        for (size_t at = 0; at < COUNT_OF(of_clients); at++)
            cr_expect_eq(may(role, of_clients[at]), role == KEY_CLIENT || role == KEY_ADMIN);
        for (size_t at = 0; at < COUNT_OF(of_admins); at++) cr_expect_eq(may(role, of_admins[at]), role == KEY_ADMIN);
    }
}

Test(role, nobody_registers_as_another_role_than_that_of_the_key)
{
    static struct message hello = {.kind = MESSAGE_HELLO};
    for (int role = KEY_NONE; role < KEY_ROLE_COUNT; role++) {
        for (int claimed = ROLE_WORKER; claimed <= ROLE_CLIENT; claimed++) {
            hello.hello.role = (enum message_role)claimed;
            const bool right = (role == KEY_WORKER && claimed == ROLE_WORKER) ||
                               (role == KEY_AGGREGATOR && claimed == ROLE_AGGREGATOR) ||
                               ((role == KEY_CLIENT || role == KEY_ADMIN) && claimed == ROLE_CLIENT);
            cr_expect_eq(role_may_send((enum key_role)role, &hello), right, "role %d as %d", role, claimed);
        }
    }
}

Test(role, names_are_read_as_they_are_written)
{
    for (int role = KEY_SERVER; role < KEY_ROLE_COUNT; role++)
        cr_expect_eq(role_from_name(role_name((enum key_role)role)), (enum key_role)role);
    cr_expect_eq(role_from_name("trusted"), KEY_NONE);
    cr_expect_eq(role_from_name("?"), KEY_NONE);
    cr_expect_eq(role_from_name(""), KEY_NONE);
}

/* Endpoints */

Test(endpoint, only_the_loopback_and_ipc_do_without_keys)
{
    static const struct {
        const char *endpoint;
        bool is_private;
    } rows[] = {
        {"ipc:///run/goldthread/b", true},
        {"tcp://127.0.0.1:7070", true},
        {"tcp://127.1.2.3:*", true},
        {"tcp://localhost:7070", true},
        {"tcp://[::1]:7070", true},
        {"tcp://::1:7070", true},
        {"tcp://0.0.0.0:7070", false},
        {"tcp://*:7070", false},
        {"tcp://[::]:7070", false},
        {"tcp://10.0.0.1:7070", false},
        {"tcp://[fe80::1]:7070", false},
        {"tcp://[::ffff:10.0.0.1]:7070", false},
        {"tcp://eth0:7070", false},
        {"tcp://broker:7070", false},
        {"tcp://127.example.org:7070", false},
        {"tcp://127.0.0.1.example.org:7070", false},
        {"tcp://localhost.example.org:7070", false},
        {"tcp://127.0.0.1:0;10.0.0.1:7070", false},
        {"tcp://127.1:7070", false},
        {"tcp://0:7070", false},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        const char *endpoint = rows[row].endpoint;
        cr_expect_eq(endpoint_is_private(endpoint), rows[row].is_private, "%s", endpoint);
        cr_expect_eq(endpoint_refusal(endpoint, false) == NULL, rows[row].is_private, "%s", endpoint);
        cr_expect_null(endpoint_refusal(endpoint, true), "%s", endpoint);
    }
}

/* TIPC, say, crosses machines too, and knows nothing of keys. */
Test(endpoint, nothing_but_tcp_with_a_port_and_ipc_with_a_path_is_an_endpoint)
{
    static const char *const rows[] = {"",
                                       "nonsense",
                                       "tcp://",
                                       "tcp://:7070",
                                       "tcp://127.0.0.1",
                                       "tcp://127.0.0.1:",
                                       "tcp://127.0.0.1:99999",
                                       "tcp://127.0.0.1:65536",
                                       "tcp://127.0.0.1:+7070",
                                       "tcp://127.0.0.1: 7070",
                                       "tcp://127.0.0.1:7070;x",
                                       "tcp://127.0.0.1:7070x",
                                       " tcp://127.0.0.1:7070",
                                       "TCP://127.0.0.1:7070",
                                       "ipc://",
                                       "ipc://@goldthread",
                                       "inproc://goldthread",
                                       "tipc://{5555,0,0}",
                                       "udp://0.0.0.0:7070",
                                       "ws://0.0.0.0:7070"};
    char refusal[256];
    struct net *net = net_open();
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        cr_expect_not_null(endpoint_refusal(rows[row], false), "%s", rows[row]);
        cr_expect_not_null(endpoint_refusal(rows[row], true), "not with keys either: %s", rows[row]);
        refusal[0] = 0;
        cr_expect_null(socket_bind(net, rows[row], NULL, 0, refusal, sizeof refusal), "%s", rows[row]);
        cr_expect_null(socket_connect(net, rows[row], refusal, sizeof refusal), "%s", rows[row]);
        cr_expect_not_null(strstr(refusal, "allowed "), "%s: %s", rows[row], refusal);
    }
    net_close(net);
}

Test(endpoint, a_socket_without_keys_neither_binds_nor_connects_beyond_the_loopback)
{
    struct net *net = net_open();
    char refusal[256] = "";
    cr_expect_null(socket_bind(net, "tcp://0.0.0.0:*", NULL, 0, refusal, sizeof refusal));
    cr_expect_not_null(strstr(refusal, "needs keys"), "%s", refusal);
    refusal[0] = 0;
    cr_expect_null(socket_connect(net, "tcp://192.0.2.1:7070", refusal, sizeof refusal));
    cr_expect_not_null(strstr(refusal, "needs keys"), "%s", refusal);
    net_close(net);
}
