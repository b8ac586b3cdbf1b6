/* token – prints a token for a backend or for one user. */
#include <stdio.h>

#include "api/auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "main/command.h"
#include "main/remote.h"

enum { USER, EXPIRES, OPTIONS };

static const struct opt opts[OPTIONS] = {
	[USER] = {"user", "ID", "a token for this user; without it one for the backend"},
	[EXPIRES] = {"expires", "TIME", "good for 90s, 15m, 1h, 7d …; without it for ever"},
};

static void
more(FILE *out)
{
	fputs("\nThe token is signed with FANFARE_API_SECRET; no server is asked.\n", out);
}

static int
run(int argc, char **argv)
{
	const char *value[OPTIONS] = {0};
	int64_t ttl = 0;
	struct arena a;
	struct str secret, token;
	struct err e;

	if (!command_read(&command_token, &argc, argv, value, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	if (argc > 0)
		return command_fail(
			COMMAND_USAGE, "token takes options only, not \"%s\"", argv[0]);
	if (value[USER] && !id_user_valid(str_of(value[USER])))
		return command_fail(COMMAND_USAGE, "--user: \"%s\" is no user id", value[USER]);
	if (value[EXPIRES] && !command_seconds(value[EXPIRES], &ttl, &e))
		return command_fail(COMMAND_USAGE, "--expires: %s", e.msg);
	if (!remote_env("FANFARE_API_SECRET", "tokens are signed with it", &secret, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	arena_init(&a, 4096, SIZE_MAX);
	token = auth_sign(&a, secret, str_of(value[USER]), clock_now_us() / 1000000, ttl);
	printf("%.*s\n", STR_ARG(token));
	arena_fini(&a);
	return COMMAND_OK;
}

const struct command command_token = {
	.name = "token",
	.args = "[--user ID] [--expires TIME]",
	.summary = "print a token that signs API calls",
	.opts = opts,
	.nopts = OPTIONS,
	.more = more,
	.run = run,
};
