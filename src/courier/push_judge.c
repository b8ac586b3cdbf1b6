/* push_judge – what answers of push services mean before anybody has read their bodies. */
#include <stdio.h>

#include "courier/push_impl.h"
#include "net/fetch.h"

void
push_say(struct judgement *j, struct str why)
{
	struct str s = str_clip(why, sizeof(j->why) - 1);

	/* The answer's own word, which goes into lists and counters. */
	for (size_t i = 0; i < s.n; i++)
		j->why[i] = s.p[i] > ' ' && s.p[i] <= '~' && s.p[i] != '"' ? s.p[i] : '_';
	j->why[s.n] = '\0';
}

void
push_judge_status(const struct fetch *f, struct judgement *out)
{
	*out = (struct judgement){.verdict = VERDICT_TEMPFAIL};
	switch (f->end) {
	case FETCH_TIMEOUT:
		push_say(out, STR("timeout"));
		return;
	case FETCH_REFUSED:
		push_say(out, STR("address_refused"));
		return;
	case FETCH_BROKEN:
		push_say(out, STR("connection"));
		return;
	case FETCH_ANSWERED:
		break;
	}
	if (f->status >= 200 && f->status < 300)
		out->verdict = VERDICT_OK;
	else if (f->status == 401 || f->status == 403)
		out->verdict = VERDICT_BARRED;
	else if (f->status >= 400 && f->status < 500 && f->status != 408 && f->status != 429)
		out->verdict = VERDICT_PERMFAIL;
	if (f->retry_after_s > 0)
		out->retry_after_ms = MIN_OF(f->retry_after_s, INT64_C(1000000)) * 1000;
	snprintf(out->why, sizeof(out->why), "http_%d", f->status);
}

bool
push_was_sent_with(const struct fetch *f, const struct push_token *token)
{
	if (token->n == 0)
		return false;
	for (size_t i = 0; i < FETCH_HEADERS_MAX && f->headers[i] != NULL; i++) {
		struct str header = str_of(f->headers[i]);
		size_t colon = str_find(header, ':', 0);

		if (str_ieq(str_sub(header, 0, colon), STR("authorization")))
			return str_ends(header, push_token_text(token));
	}
	return false;
}
