/* main – the table of commands. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "main/command.h"

static const struct command *const commands[] = {
	&command_serve,
	&command_migrate,
	&command_token,
	&command_import,
	&command_send,
	&command_inbox,
};

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void
help(FILE *out)
{
	fputs("usage: fanfare COMMAND [ARGUMENTS]\n"
	      "       fanfare COMMAND --help\n"
	      "       fanfare --help | --version\n"
	      "\n"
	      "Fanfare is a campaign server: it sends one message to every user of an\n"
	      "audience, exactly once, over the API that Stream Chat clients speak.\n"
	      "\n"
	      "commands:\n",
		out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "All but serve, migrate and token talk to a running server: FANFARE_URL says "
	      "where\n"
	      "(default http://127.0.0.1:8080), FANFARE_API_KEY and FANFARE_API_SECRET who.\n",
		out);
}

static bool
asks_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

/* What was printed must have arrived: a full disk behind a redirect is a failure. */
static int
finish(int status)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == COMMAND_OK)
		return command_fail(COMMAND_FAILED, "standard output could not be written");
	return status;
}

int
main(int argc, char **argv)
{
	const struct command *cmd;

	if (argc < 2) {
		help(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return finish(COMMAND_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("fanfare " FANFARE_VERSION);
		return finish(COMMAND_OK);
	}
	cmd = find_command(argv[1]);
	if (!cmd)
		return command_fail(COMMAND_USAGE,
			"there is no command \"%s\"; fanfare --help lists them", argv[1]);
	if (asks_help(argc - 2, argv + 2)) {
		command_help(cmd, stdout);
		return finish(COMMAND_OK);
	}
	return finish(cmd->run(argc - 2, argv + 2));
}
