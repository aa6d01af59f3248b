/* What the targets that damage a database share. */
#pragma once

#include "support_fuzz.h"

/* Rewrites the closed database NAME.db in the fuzz folder with small pages, in which an edit hits something sooner,
 * and reads it. */
void database_shrink(const char *name, struct buffer *out);

/* Puts a damaged database NAME.db into the fuzz folder. The first choice says how: the rest is the whole file, or a
 * log beside the sound one, or a list of edits to it. True: it was edited. */
bool database_damage(const char *name, const struct buffer *sound, struct choices *choices);
