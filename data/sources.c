#include "sources.h"

#include <string.h>

#include "embed.h"
#include "embedded.h"

#define SOURCES_MAX 128

static const char *const columns[] = {"tag", "title", "publisher", "date", "url"};

static size_t read_table(struct source sources[SOURCES_MAX])
{
    static char text[1 << 15];
    struct embedded table;
    size_t count = 0;
    embedded_open(&table, "data/sources.csv", embed_sources(), columns, sizeof columns / sizeof *columns, text,
                  sizeof text);
    for (; embedded_next(&table); count++) {
        if (count == SOURCES_MAX) embedded_stop(&table, "too many rows");
        sources[count] = (struct source){embedded_text(&table, 0), embedded_text(&table, 1), embedded_text(&table, 2),
                                         embedded_text(&table, 3), embedded_text(&table, 4)};
    }
    return count;
}

const struct source *sources_table(size_t *count)
{
    static struct source sources[SOURCES_MAX];
    static size_t source_count;
    if (source_count == 0) source_count = read_table(sources);
    *count = source_count;
    return sources;
}

const struct source *sources_find(const char *tag)
{
    size_t count, length = strcspn(tag, "]");
    const struct source *sources = sources_table(&count);
    for (size_t at = 0; at < count; at++)
        if (strlen(sources[at].tag) == length && memcmp(sources[at].tag, tag, length) == 0) return &sources[at];
    return NULL;
}
