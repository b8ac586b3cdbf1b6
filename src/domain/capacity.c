/* capacity – what is used of a month's messages, and whether a campaign still fits in. */
#include "domain/capacity.h"

#include "base/clock.h"
#include "base/err.h"
#include "store/db.h"

bool
capacity_load(struct db *db, int64_t now, struct capacity *c, struct err *e)
{
	int64_t month = clock_month(now);
	bool found;

	c->resets_at = clock_month_begin(month + 1);
	c->is_exceeded = false;
	if (!db_get_int(db, SQL_CAPACITY_USED, ARGS(V_INT(month)), &c->used, &found, e))
		return false;
	c->left = MAX_OF(c->limit - c->used, 0);
	return true;
}

bool
capacity_take(struct capacity *c, struct err *e)
{
	if (c->audience > c->left) {
		c->is_exceeded = true;
		return fail(e, ERR_DENIED,
			"message capacity exceeded: the audience is %lld, %lld of %lld "
			"messages "
			"are used, %lld are left this month",
			(long long)c->audience, (long long)c->used, (long long)c->limit,
			(long long)c->left);
	}
	c->used += c->audience;
	c->left -= c->audience;
	return true;
}
