/* team_rule – queries of clients, narrowed to their teams. */
#include "api/team_rule.h"

#include "api/req.h"
#include "domain/settings.h"
#include "domain/user.h"

bool
team_rule(struct req *r, bool *applies, json_t **teams, struct err *e)
{
	struct err none = {0};
	struct user user;

	*applies = r->user_id.p != NULL && r->settings->multi_tenant;
	if (!*applies)
		return true;
	*teams = NULL;
	if (!user_get(r->db, r->arena, r->user_id, &user, &none)) {
		if (none.code == ERR_NOT_FOUND)
			return true;
		*e = none;
		return false;
	}
	return user.teams.p == NULL || jr_parse(r->arena, user.teams, teams, e);
}

json_t *
team_rule_narrow(struct req *r, json_t *filter, const char *field, json_t *teams)
{
	return jr_own(r->arena, filter == NULL ? json_pack("{s:{s:O}}", field, "$in", teams)
					       : json_pack("{s:[O,{s:{s:O}}]}", "$and", filter,
							 field, "$in", teams));
}
