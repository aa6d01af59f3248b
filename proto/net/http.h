/* A page for people and Prometheus: /healthz, /metrics and /status.json over HTTP, served by a thread of
 * its own. The thread never sees the server's state: the server's loop fills a snapshot now and then and
 * publishes it, which costs it the exchange of two pointers and never a wait for a reader.
 *
 * Every function takes NULL for a server without such a page. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define HTTP_ADDRESS_BYTES 64
#define HTTP_PUBLISH_MS    250u  /* between snapshots, at least */
#define HTTP_TURN_MS       500u  /* an idle loop turns this often, so that it can be seen to be alive */
#define HTTP_SILENT_MS     3000u /* a loop that has not turned for so long is not healthy */

/* Appends a page made of a snapshot that is age_ms old. Runs in the page's thread: it may touch nothing
 * else. */
typedef void http_render(const void *snapshot, uint64_t age_ms, struct buffer *out);

struct http_setup {
    const char *program; /* borrowed, like the rest, until http_close */
    const char *address;
    size_t snapshot_bytes;
    http_render *metrics, *status; /* Prometheus text; JSON */
};

/* ADDRESS:PORT, where the address is a number of IPv4, one of IPv6 in brackets, or localhost; port 0: a free
 * one. Any address but a loopback one needs `public`. False: `why` says what is wrong. */
bool http_check_address(const char *address, bool public, char *why, size_t why_bytes);

/* Starts the thread; call after process_stop_fd, so that signals are not its business. The address as bound
 * is copied to `bound`. NULL: `why` holds one line. */
struct http *http_open(const struct http_setup *setup, char *bound, size_t bound_bytes, char *why, size_t why_bytes);

/* Finishes what is being answered, and stops the thread. */
void http_close(struct http *http);

/* The loop has turned. Gives a snapshot to fill and then to publish, or NULL when the last one is young
 * enough; `now`: however young. The snapshot holds what an older one held. */
void *http_turn(struct http *http, uint64_t now_ms, bool now);
void http_publish(struct http *http);

/* How long the loop may wait that would wait for patience_ms (-1: for ever). */
int64_t http_patience_ms(const struct http *http, int64_t patience_ms);
