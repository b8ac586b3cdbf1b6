/* schema – puts an engine's words into a step of the schema. */
#include "store/schema.h"

void
schema_translate(struct str sql, const struct schema_word *words, size_t n, struct buf *out)
{
	for (size_t i = 0; i < sql.n;) {
		struct str rest = str_sub(sql, i, sql.n - i);
		size_t w = 0;

		while (w < n && !str_starts(rest, words[w].word))
			w++;
		if (w < n) {
			buf_str(out, words[w].means);
			i += words[w].word.n;
		} else {
			buf_char(out, sql.p[i++]);
		}
	}
}
