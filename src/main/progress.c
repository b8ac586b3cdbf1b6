/* progress – one line that tells how far a long command is. */
#include "main/progress.h"

#include <sys/ioctl.h>

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "main/text.h"

#define SECOND    1000000
#define LIVE_US   (SECOND / 10)
#define PLAIN_US  SECOND
#define MARK_US   (SECOND / 4)

#define BAR_MIN   8
#define BAR_MAX   40
#define SMOOTHING 0.3 /* weight of the newest sample */

void
progress_init(struct progress *p, FILE *out, const char *what, const char *unit, int64_t now_us)
{
	*p = (struct progress){
		.out = out,
		.what = what,
		.unit = unit,
		.live = isatty(fileno(out)),
		.drawn_us = now_us,
		.mark_us = now_us,
	};
}

static void
measure(struct progress *p, int64_t count, double share, int64_t now_us)
{
	double seconds = (double)(now_us - p->mark_us) / SECOND;
	double rate, pace;

	if (now_us - p->mark_us < MARK_US)
		return;
	rate = (double)(count - p->mark_count) / seconds;
	pace = (share - p->mark_share) / seconds;
	p->rate += (p->rate > 0 ? SMOOTHING : 1) * (rate - p->rate);
	p->pace += (p->pace > 0 ? SMOOTHING : 1) * (pace - p->pace);
	p->mark_us = now_us;
	p->mark_count = count;
	p->mark_share = share;
}

static int
columns_of(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

/* "[=====>    ]" of ${width} columns between the brackets. */
static void
draw_bar(char *out, double share, int width)
{
	int full = (int)(share * width);

	out[0] = '[';
	memset(out + 1, '=', (size_t)full);
	memset(out + 1 + full, ' ', (size_t)(width - full));
	if (full > 0 && full < width)
		out[full] = '>';
	out[width + 1] = ']';
	out[width + 2] = '\0';
}

void
progress_line(const struct progress *p, int64_t count, double share, int columns,
	char out[PROGRESS_LINE_MAX])
{
	char number[TEXT_MAX], rate[TEXT_MAX], left[TEXT_MAX];
	char tail[128], bar[BAR_MAX + 8] = "";
	int n, width;

	share = MIN_OF(share, 1.0);
	n = snprintf(tail, sizeof tail, "%s %s", text_count(count, number), p->unit);
	if (p->rate >= 1)
		n += snprintf(tail + n, sizeof tail - (size_t)n, "  %s/s",
			text_count((int64_t)p->rate, rate));
	if (share >= 0 && share < 1 && p->pace > 0)
		snprintf(tail + n, sizeof tail - (size_t)n, "  %s left",
			text_span((int64_t)((1 - share) / p->pace * SECOND), left));
	if (share < 0) {
		snprintf(out, PROGRESS_LINE_MAX, "%s  %s", p->what, tail);
	} else {
		width = columns - (int)(strlen(p->what) + strlen(tail)) - 12;
		if (width >= BAR_MIN)
			draw_bar(bar, share, MIN_OF(width, BAR_MAX));
		snprintf(out, PROGRESS_LINE_MAX, "%s  %s%s%3d%%  %s", p->what, bar,
			*bar ? " " : "", (int)(share * 100), tail);
	}
	/* A line that wraps cannot be redrawn in place. */
	if (columns > 0 && columns < PROGRESS_LINE_MAX)
		out[columns - 1] = '\0';
}

void
progress_update(struct progress *p, int64_t count, double share, int64_t now_us)
{
	char line[PROGRESS_LINE_MAX];

	measure(p, count, share, now_us);
	if (now_us - p->drawn_us < (p->live ? LIVE_US : PLAIN_US))
		return;
	p->drawn_us = now_us;
	if (p->live) {
		progress_line(p, count, share, columns_of(p->out), line);
		fprintf(p->out, "\r%s\033[K", line);
		p->drawn = true;
	} else {
		progress_line(p, count, share, 0, line);
		fprintf(p->out, "%s\n", line);
	}
	fflush(p->out);
}

void
progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", p->out);
	p->drawn = false;
	fflush(p->out);
}
