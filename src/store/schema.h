/* schema – the schema's steps are written once, with words that each engine replaces. */
#pragma once
#include <stddef.h>

#include "base/str.h"

/* A word of src/store/sql/schema and what it means to an engine. */
struct schema_word {
	struct str word, means;
};

/* Appends ${sql} with its words replaced; where several fit, the first of the list counts. */
void
schema_translate(struct str sql, const struct schema_word *words, size_t n, struct buf *out);
