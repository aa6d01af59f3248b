/* What servers tell of themselves: numbers in Prometheus's text format 0.0.4, and JSON. Pure: text goes to
 * the end of a buffer, whose `failed` says that memory ran out. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "message.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

#define HISTOGRAM_BOUNDS 12

/* How long things took, in buckets of fixed bounds from 1 ms to 10 s. Zero-initialised is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* of each bucket alone; the last is above every bound */
    uint64_t sum_us;
};

void histogram_add(struct histogram *histogram, uint64_t us);
uint64_t histogram_count(const struct histogram *histogram);

void expose(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The two lines above the samples of a family. type: counter, gauge or histogram; help: one line without a
 * backslash. */
void expose_family(struct buffer *out, const char *name, const char *type, const char *help);

/* A family of one sample without labels: a gauge, or a counter when the name ends in _total. */
void expose_number(struct buffer *out, const char *name, const char *help, uint64_t value);

/* A sample of the family above it, with one label. The label's value has no quote, backslash or newline. */
void expose_labelled(struct buffer *out, const char *name, const char *label, const char *is, uint64_t value);

/* A family of one histogram, in seconds. */
void expose_histogram(struct buffer *out, const char *name, const char *help, const struct histogram *histogram);

/* A JSON string with its quotes. The text is UTF-8. */
void expose_json_text(struct buffer *out, const char *text);

#define TRAFFIC_ERRORS 8 /* room for every enum message_error */

/* What a server's sockets saw since it started. */
struct traffic {
    uint64_t received[MESSAGE_KIND_END], sent[MESSAGE_KIND_END]; /* by kind */
    uint64_t refused[TRAFFIC_ERRORS];                            /* messages answered by ERROR, by code */
    uint64_t drops;                                              /* sends that a full queue or want of memory lost */
    uint64_t unreached;                                          /* sends to whoever had gone */
};

/* Families PREFIXmessages_received_total and so on; the prefix ends in an underscore. */
void expose_traffic(struct buffer *out, const char *prefix, const struct traffic *traffic);

/* Families that every server has: its version, how long it runs, how old the snapshot is. */
void expose_server(struct buffer *out, const char *prefix, uint64_t uptime_ms, uint64_t age_ms);

/* One number of a structure, for families that are told by a table. */
struct exposed {
    const char *name, *help;
    size_t offset; /* of a uint64_t */
};

void expose_table(struct buffer *out, const struct exposed *table, size_t count, const void *structure);
