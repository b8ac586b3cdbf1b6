/* migrate – brings the store's schema to the newest step, as the first start would. */
#include <stdio.h>

#include "base/config.h"
#include "base/err.h"
#include "main/command.h"
#include "main/opening.h"
#include "store/db.h"

static int
run(int argc, char **argv)
{
	struct config config;
	struct store *store;
	struct err e;

	if (!config_load(&config, argc, argv, &e))
		return command_fail(COMMAND_USAGE, "%s", e.msg);
	if (!open_store(&store, &config, NO_SIGNALS, &e))
		return command_fail(COMMAND_FAILED, "%s", e.msg);
	store_close(store);
	printf("the store has schema version %d\n", sql_nsteps);
	return COMMAND_OK;
}

static void
more(FILE *out)
{
	fputs("\nsettings (of which only those of the store matter):\n", out);
	config_help(out);
	fputs("\nServers bring the schema up to date by themselves when they start; this does "
	      "it\n"
	      "beforehand, by an account that may. Several at once do no harm.\n",
		out);
}

const struct command command_migrate = {
	.name = "migrate",
	.args = "[--SETTING VALUE …]",
	.summary = "create or update the schema of the store",
	.more = more,
	.run = run,
};
