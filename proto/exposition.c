#include "exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024
#define NAME_BYTES 128

static const struct {
    uint64_t us;
    const char *seconds;
} bounds[HISTOGRAM_BOUNDS] = {
    {1000, "0.001"}, {2500, "0.0025"}, {5000, "0.005"}, {10000, "0.01"}, {25000, "0.025"}, {50000, "0.05"},
    {100000, "0.1"}, {250000, "0.25"}, {500000, "0.5"}, {1000000, "1"},  {2500000, "2.5"}, {10000000, "10"},
};

void histogram_add(struct histogram *histogram, uint64_t us)
{
    size_t at = 0;
    while (at < HISTOGRAM_BOUNDS && us > bounds[at].us) at++;
    histogram->counts[at]++;
    histogram->sum_us += us;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (size_t at = 0; at <= HISTOGRAM_BOUNDS; at++) count += histogram->counts[at];
    return count;
}

void expose(struct buffer *out, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof line) out->failed = true; /* half a line would be a wrong number */
    else buffer_append(out, line, (size_t)size);
}

void expose_family(struct buffer *out, const char *name, const char *type, const char *help)
{
    expose(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static bool ends_in_total(const char *name)
{
    const size_t size = strlen(name), end = strlen("_total");
    return size > end && strcmp(name + size - end, "_total") == 0;
}

void expose_number(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    expose_family(out, name, ends_in_total(name) ? "counter" : "gauge", help);
    expose(out, "%s %" PRIu64 "\n", name, value);
}

void expose_labelled(struct buffer *out, const char *name, const char *label, const char *is, uint64_t value)
{
    expose(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, is, value);
}

void expose_histogram(struct buffer *out, const char *name, const char *help, const struct histogram *histogram)
{
    uint64_t count = 0;
    expose_family(out, name, "histogram", help);
    for (size_t at = 0; at < HISTOGRAM_BOUNDS; at++) {
        count += histogram->counts[at];
        expose(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bounds[at].seconds, count);
    }
    count += histogram->counts[HISTOGRAM_BOUNDS];
    expose(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    expose(out, "%s_sum %" PRIu64 ".%06" PRIu64 "\n", name, histogram->sum_us / 1000000, histogram->sum_us % 1000000);
    expose(out, "%s_count %" PRIu64 "\n", name, count);
}

void expose_json_text(struct buffer *out, const char *text)
{
    buffer_append(out, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        if (*at == '"' || *at == '\\') expose(out, "\\%c", *at);
        else if (*at < 0x20) expose(out, "\\u%04x", *at);
        else buffer_append(out, at, 1);
    }
    buffer_append(out, "\"", 1);
}

void expose_table(struct buffer *out, const struct exposed *table, size_t count, const void *structure)
{
    for (size_t at = 0; at < count; at++) {
        uint64_t value;
        memcpy(&value, (const char *)structure + table[at].offset, sizeof value);
        expose_number(out, table[at].name, table[at].help, value);
    }
}

static void expose_kinds(struct buffer *out, const char *prefix, const char *end, const char *help,
                         const uint64_t counts[MESSAGE_KIND_END])
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s%s", prefix, end);
    expose_family(out, name, "counter", help);
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_END; kind++)
        if (counts[kind] > 0)
            expose_labelled(out, name, "kind", message_kind_name((enum message_kind)kind), counts[kind]);
}

static void expose_one(struct buffer *out, const char *prefix, const char *end, const char *help, uint64_t value)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s%s", prefix, end);
    expose_number(out, name, help, value);
}

void expose_traffic(struct buffer *out, const char *prefix, const struct traffic *traffic)
{
    static const char *const reasons[TRAFFIC_ERRORS] = {"other",   "malformed", "version",   "unknown",
                                                        "refused", "store",     "forbidden", NULL};
    char name[NAME_BYTES];
    expose_kinds(out, prefix, "messages_received_total", "Messages received, by kind.", traffic->received);
    expose_kinds(out, prefix, "messages_sent_total", "Messages sent, by kind.", traffic->sent);
    snprintf(name, sizeof name, "%smessages_refused_total", prefix);
    expose_family(out, name, "counter", "Messages that were answered by an error, by reason.");
    for (size_t at = 0; at < TRAFFIC_ERRORS; at++)
        if (reasons[at] != NULL) expose_labelled(out, name, "reason", reasons[at], traffic->refused[at]);
    expose_one(out, prefix, "send_drops_total", "Messages lost to a full queue or for want of memory: must stay 0.",
               traffic->drops);
    expose_one(out, prefix, "sends_unreached_total", "Messages to a program that had gone.", traffic->unreached);
}

static void expose_age(struct buffer *out, const char *prefix, const char *end, const char *help, uint64_t ms)
{
    expose(out, "# HELP %s%s %s\n# TYPE %s%s gauge\n", prefix, end, help, prefix, end);
    expose(out, "%s%s %" PRIu64 ".%03" PRIu64 "\n", prefix, end, ms / 1000, ms % 1000);
}

void expose_server(struct buffer *out, const char *prefix, uint64_t uptime_ms, uint64_t age_ms)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%sbuild_info", prefix);
    expose_family(out, name, "gauge", "Always 1; the version is a label.");
    expose_labelled(out, name, "version", GOLDTHREAD_VERSION, 1);
    expose_age(out, prefix, "uptime_seconds", "Time since the server took up work.", uptime_ms);
    expose_age(out, prefix, "snapshot_age_seconds", "Age of these numbers: above 3 the server is stuck.", age_ms);
}
