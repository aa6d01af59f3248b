/* What is on its way to peers: bytes that ZeroMQ holds and the peer has not taken in. ZeroMQ bounds a queue by the
 * number of its messages only; here they are bounded in bytes, of one peer and of all together. Counted from any
 * thread, admitted from one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "socket.h"

#define OUTBOUND_BYTES_MAX   ((size_t)512 << 20) /* of all peers; as much as two of the largest messages */
#define OUTBOUND_LARGE_BYTES ((size_t)256 << 10) /* of messages above this size a peer has one on its way, and */
#define OUTBOUND_LARGE_MAX   256u                /* all peers together so many */

struct outbound;
struct parcel; /* one message that is on its way */

struct outbound *outbound_new(size_t bytes_max); /* NULL: out of memory */
void outbound_free(struct outbound *outbound);   /* after its parcels */

enum outbound_result { OUTBOUND_OK, OUTBOUND_FULL, OUTBOUND_NO_MEMORY };

/* Room for a message of so many bytes; a single one always fits. `parcel` is to be released once, from any thread. */
enum outbound_result outbound_admit(struct outbound *outbound, const struct socket_id *to, size_t bytes,
                                    struct parcel **parcel);
void outbound_release(struct parcel *parcel);

size_t outbound_bytes(const struct outbound *outbound);
