/* text – numbers, times and foreign text for people at a terminal. */
#include "main/text.h"

#include <inttypes.h>
#include <stdbool.h>

#define SECOND INT64_C(1000000)

const char *
text_count(int64_t n, char out[TEXT_MAX])
{
	char digits[TEXT_MAX];
	int len = snprintf(digits, sizeof digits, "%" PRId64, n);
	int first = n < 0; /* the sign takes no separator */
	char *w = out;

	for (int i = 0; i < len; i++) {
		if (i > first && (len - i) % 3 == 0)
			*w++ = ',';
		*w++ = digits[i];
	}
	*w = '\0';
	return out;
}

const char *
text_span(int64_t us, char out[TEXT_MAX])
{
	int64_t s = us / SECOND;

	if (us < 10 * SECOND)
		snprintf(out, TEXT_MAX, "%.2f s", (double)us / SECOND);
	else if (s < 60)
		snprintf(out, TEXT_MAX, "%.1f s", (double)us / SECOND);
	else if (s < 3600)
		snprintf(out, TEXT_MAX, "%d:%02d min", (int)(s / 60), (int)(s % 60));
	else
		snprintf(out, TEXT_MAX, "%" PRId64 ":%02d:%02d h", s / 3600, (int)(s / 60 % 60),
			(int)(s % 60));
	return out;
}

/* C1 controls, which some terminals obey, are 0xC2 0x80..0x9F in UTF-8. */
static bool
is_c1(struct str s, size_t i)
{
	return i + 1 < s.n && (unsigned char)s.p[i] == 0xC2 && (unsigned char)s.p[i + 1] < 0xA0;
}

void
text_print(FILE *out, struct str s, const char *indent)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\n') {
			fprintf(out, "\n%s", indent);
		} else if (c < 0x20 || c == 0x7F) {
			fputc('?', out);
		} else if (is_c1(s, i)) {
			fputc('?', out);
			i++;
		} else {
			fputc(c, out);
		}
	}
}
