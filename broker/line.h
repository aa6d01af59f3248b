/* Lines: doubly linked lists over the slots of an array, so that what waits longest is first and any
 * slot leaves at once. Several lines may share one array of links; a slot stands in at most one of
 * them, and a slot that stands in none is linked to itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
    uint32_t before, after;
};

struct line {
    struct link *links; /* borrowed: [slots + number of lines] */
    uint32_t head;      /* the line's own link, behind the slots */
};

static inline void line_init(struct line *line, struct link *links, uint32_t head)
{
    *line = (struct line){links, head};
    links[head] = (struct link){head, head};
}

/* Takes the slot out of whatever line it stands in. */
static inline void line_leave(struct link *links, uint32_t slot)
{
    links[links[slot].before].after = links[slot].after;
    links[links[slot].after].before = links[slot].before;
    links[slot] = (struct link){slot, slot};
}

/* Moves the slot to the end of the line. */
static inline void line_join(struct line *line, uint32_t slot)
{
    line_leave(line->links, slot);
    const uint32_t last = line->links[line->head].before;
    line->links[slot] = (struct link){last, line->head};
    line->links[last].after = slot;
    line->links[line->head].before = slot;
}

/* The first slot. False: the line is empty. */
static inline bool line_first(const struct line *line, uint32_t *slot)
{
    *slot = line->links[line->head].after;
    return *slot != line->head;
}

/* The slot behind `slot`. False: it was the last. */
static inline bool line_next(const struct line *line, uint32_t slot, uint32_t *next)
{
    *next = line->links[slot].after;
    return *next != line->head;
}
