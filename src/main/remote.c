/* remote – the running server that a command talks to, as the environment names it. */
#include "main/remote.h"

#include <stdlib.h>

#include "api/auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "main/command.h"
#include "net/client.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
#define TIMEOUT_MS  30000

struct str
remote_url(void)
{
	struct str url = str_of(getenv("FANFARE_URL"));

	if (url.n == 0)
		return STR(DEFAULT_URL);
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	return url;
}

bool
remote_env(const char *name, const char *why, struct str *out, struct err *e)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return fail(e, ERR_INPUT, "%s is not set; %s", name, why);
	*out = str_of(value);
	return true;
}

bool
remote_open(struct client **out, struct arena *a, struct err *e)
{
	static const char why[] = "it is one of the pair that the server was started with, or "
				  "printed at its first start";
	struct client_opts opts = {.timeout_ms = TIMEOUT_MS};
	struct str secret = STR_NONE;
	struct err why_not;

	if (!remote_env("FANFARE_API_KEY", why, &opts.api_key, e) ||
		!remote_env("FANFARE_API_SECRET", why, &secret, e))
		return false;
	opts.url = arena_dup(a, remote_url()).p;
	opts.token = auth_sign(a, secret, STR_NONE, clock_now_us() / 1000000, 0);
	if (!client_new(out, &opts, &why_not))
		return fail(e, why_not.code, "FANFARE_URL: %s", why_not.msg);
	return true;
}

bool
remote_may_return(const struct err *e)
{
	return e->code == ERR_STORE || e->code == ERR_UNCERTAIN || e->code == ERR_LIMITED;
}

int
remote_fail(const struct err *e, const char *doing)
{
	struct str url = remote_url();

	if (e->code == ERR_STORE)
		return command_fail(COMMAND_FAILED, "%s: %.*s: %s (FANFARE_URL)", doing,
			STR_ARG(url), e->msg);
	return command_fail(COMMAND_FAILED, "%s: %s", doing, e->msg);
}
