/* channel_place – from ids to numbers, for many ids with a few statements. */
#include "domain/channel_place.h"

#include "base/arena.h"
#include "base/err.h"
#include "domain/channel.h"
#include "domain/user.h"
#include "store/db.h"

/* At least so many at a time. */
#define HOMES 65536

/* Distinct ids name their members: each of them may be the home user, where there is a form
 * of the others. */
static bool
place_distinct(struct db *db, struct arena *a, struct str type, const struct str *ids, size_t n,
	struct channel_place *out, struct err *e)
{
	size_t max = n * FORM_MAX_DISTINCT, k = 0;
	struct str *others = arena_array(a, max, sizeof(*others));
	int64_t *homes = arena_array(a, max, sizeof(*homes));
	int64_t *forms = arena_array(a, max, sizeof(*forms));
	size_t *whose = arena_array(a, max, sizeof(*whose));

	for (size_t i = 0; i < n; i++) {
		int64_t uids[FORM_MAX_DISTINCT], rest[FORM_MAX_DISTINCT];
		size_t nuids;

		if (!form_distinct_read(ids[i], uids, &nuids))
			continue;
		for (size_t home = 0; home < nuids; home++) {
			size_t nrest = 0;

			for (size_t m = 0; m < nuids; m++)
				if (m != home)
					rest[nrest++] = uids[m];
			others[k] = form_others_text(a, rest, nrest);
			homes[k] = uids[home];
			whose[k++] = i;
		}
	}
	if (!form_find_distinct(db, type, others, k, forms, e))
		return false;
	for (size_t i = 0; i < k; i++) {
		struct channel_place *p = &out[whose[i]];

		if (forms[i] != 0)
			p->nos[p->nnos++] = CHANNEL_NO(homes[i], forms[i]);
	}
	return true;
}

/* Other ids fit at most one affix form each; the user in them must be there. */
static bool
place_affix(struct db *db, struct arena *a, struct str type, const struct str *ids, size_t n,
	struct channel_place *out, struct err *e)
{
	struct form_fit *fits = arena_array(a, n, sizeof(*fits));
	struct str *users;
	int64_t *uids;
	size_t k = 0, *whose;

	if (!form_match(db, a, type, ids, n, fits, e))
		return false;
	for (size_t i = 0; i < n; i++)
		k += fits[i].form != 0;
	users = arena_array(a, k, sizeof(*users));
	uids = arena_array(a, k, sizeof(*uids));
	whose = arena_array(a, k, sizeof(*whose));
	k = 0;
	for (size_t i = 0; i < n; i++) {
		if (fits[i].form == 0)
			continue;
		users[k] = fits[i].middle;
		whose[k++] = i;
	}
	if (!user_resolve(db, a, users, k, uids, e))
		return false;
	for (size_t i = 0; i < k; i++) {
		struct channel_place *p = &out[whose[i]];
		int64_t form = fits[whose[i]].form;

		if (uids[i] != 0)
			p->nos[p->nnos++] = CHANNEL_NO(uids[i], form);
		else
			p->shadows = form;
	}
	return true;
}

bool
channel_places(struct db *db, struct arena *a, struct str type, const struct str *ids, size_t n,
	struct channel_place *out, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	size_t ndistinct = 0;
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		out[i] = (struct channel_place){0};
		ndistinct += str_starts(ids[i], STR(FORM_DISTINCT_PREFIX));
	}
	if (ndistinct > 0)
		ok = place_distinct(db, a, type, ids, n, out, e);
	if (ndistinct < n)
		ok = ok && place_affix(db, a, type, ids, n, out, e);
	arena_rewind(a, mark);
	return ok;
}

bool
channel_place_eq(const struct channel_place *x, const struct channel_place *y)
{
	bool same = x->nnos == y->nnos && x->shadows == y->shadows;

	for (int64_t i = 0; same && i < x->nnos; i++)
		same = x->nos[i] == y->nos[i];
	return same;
}

/* ---- homes ---------------------------------------------------------------------------- */

static bool
take_more(struct db *w, void *arg, struct err *e)
{
	struct channel_homes *h = arg;

	return db_take(w, COUNTER_CHANNEL, h->left, &h->next, e);
}

bool
channel_homes_take(
	struct channel_homes *h, struct db *db, int64_t n, int64_t *first, struct err *e)
{
	struct channel_homes more = {.left = MAX_OF(n, HOMES)};

	if (h->left < n) {
		if (!db_write_beside(db, take_more, &more, e))
			return false;
		*h = more;
	}
	*first = h->next;
	h->next += n;
	h->left -= n;
	return true;
}
