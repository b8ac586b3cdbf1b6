/* config – the table of settings, applied from four places.
 *
 * Each place has a rank; a value is stored unless one of a higher rank is there, so the
 * order in which places are read does not matter.  Every value is checked, also one that
 * is overridden. */
#include "base/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

#define ENV_PREFIX   "FANFARE_"
#define LONGEST_NAME 32
#define VALUE_SIZE   sizeof(((struct config *)NULL)->store)
#define SHOWN_MAX    64 /* bytes of a wrong value that a message repeats */
#define HELP_INDENT  26

enum kind { KIND_STR, KIND_INT };
enum rank { DEFAULT, CONFIG_FILE, ENVIRONMENT, COMMAND_LINE };

struct setting {
	const char *name;
	enum kind kind;
	const char *def;
	bool is_secret;
	const char *help;
	size_t at; /* offset of the field in struct config */
};

static const struct setting settings[] = {
#define X(name, type, def, secret, help) \
	{#name, KIND_##type, def, secret, help, offsetof(struct config, name)},
	CONFIG_TABLE(X)
#undef X
};

/* What an INT may be. */
static const struct {
	const char *name;
	int64_t lo, hi;
} ranges[] = {
	{"store_wait", 0, 3600},
	{"store_connections", 0, 1000},
	{"retry_for", 0, 2592000},
	{"http_threads", 1, 256},
	{"connections", 1, 1000000},
	{"workers", 1, 64},
	{"max_lateness", 0, 31536000},
	{"batch_size", 1, 4096},
	{"lease_ms", 1, 86400000},
	{"render_max", 1, 1 << 20},
	{"mau_plan", 0, INT64_C(1000000000000)},
	{"rate_limit", 1, 1000000000},
	{"rate_limit_user", 0, 200000},
};

struct loader {
	struct config *c;
	enum rank ranks[ARRAY_LEN(settings)]; /* of the value that is stored */
	struct str path;                      /* of the config file; p == NULL: none */
};

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Names compare with '-' and '_' alike: --http-threads, http_threads. */
static const struct setting *
find_setting(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const char *known = settings[i].name;
		size_t at = 0;

		while (at < name.n && known[at] != '\0' &&
			(name.p[at] == known[at] || (name.p[at] == '-' && known[at] == '_')))
			at++;
		if (at == name.n && known[at] == '\0')
			return &settings[i];
	}
	return NULL;
}

/* A name as flags have it, with dashes. */
static void
flag_name(const char *name, char out[LONGEST_NAME])
{
	size_t i = 0;

	for (; name[i] != '\0' && i < LONGEST_NAME - 1; i++)
		out[i] = name[i] == '_' ? '-' : name[i];
	out[i] = '\0';
}

static void
env_name(const char *name, char out[LONGEST_NAME])
{
	size_t n = sizeof(ENV_PREFIX) - 1;

	memcpy(out, ENV_PREFIX, n);
	for (; *name != '\0' && n < LONGEST_NAME - 1; name++)
		out[n++] = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
	out[n] = '\0';
}

/* What is repeated of a wrong value. */
static struct str
shown(struct str value)
{
	return str_clip(str_public(value), SHOWN_MAX);
}

static bool
read_int(const struct setting *s, struct str value, int64_t *out, const char *where,
	struct err *e)
{
	int64_t lo = 0, hi = INT64_MAX;

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (strcmp(ranges[i].name, s->name) == 0) {
			lo = ranges[i].lo;
			hi = ranges[i].hi;
		}
	if (!str_to_i64(value, out) || *out < lo || *out > hi) {
		value = shown(value);
		return fail(e, ERR_INPUT,
			"%s: expected an integer from %" PRId64 " to %" PRId64 ", got \"%.*s\"",
			where, lo, hi, STR_ARG(value));
	}
	return true;
}

/* ${where} names the value's place in messages, which never repeat a secret. */
static bool
apply(struct loader *l, const struct setting *s, struct str value, enum rank rank,
	const char *where, struct err *e)
{
	enum rank *stored = &l->ranks[s - settings];
	char *field = (char *)l->c + s->at;
	char text[VALUE_SIZE];
	enum log_level level;
	int64_t n = 0;

	if (value.n >= sizeof(text))
		return fail(e, ERR_INPUT, "%s: longer than %zu bytes", where, sizeof(text) - 1);
	if (str_find(value, '\0', 0) < value.n)
		return fail(e, ERR_INPUT, "%s: contains a NUL byte", where);
	if (value.n > 0)
		memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	if (s->kind == KIND_INT && !read_int(s, value, &n, where, e))
		return false;
	if (strcmp(s->name, "log_level") == 0 && !log_parse_level(text, &level))
		return fail(e, ERR_INPUT,
			"%s: expected debug, info, warn or error, got \"%.*s\"", where,
			STR_ARG(shown(value)));
	if (rank < *stored)
		return true;
	*stored = rank;
	if (s->kind == KIND_INT)
		memcpy(field, &n, sizeof(n));
	else
		memcpy(field, text, value.n + 1);
	return true;
}

/* One argument, "--name=value" or "--name" "value"; *i moves over both. */
static bool
apply_flag(struct loader *l, int argc, char **argv, int *i, struct err *e)
{
	struct str arg = str_of(argv[*i]);
	struct str name, value;
	const struct setting *s;
	char where[2 * LONGEST_NAME];
	size_t equals;

	if (!str_starts(arg, STR("--")) || arg.n == 2)
		return fail(e, ERR_INPUT, "unexpected argument \"%.*s\"", STR_ARG(shown(arg)));
	equals = str_find(arg, '=', 0);
	name = str_sub(arg, 2, equals - 2);
	s = find_setting(name);
	if (s == NULL && !str_is(name, "config"))
		return fail(e, ERR_INPUT, "unknown flag \"%.*s\"",
			STR_ARG(shown(str_sub(arg, 0, equals))));
	if (s != NULL && s->is_secret) {
		env_name(s->name, where);
		return fail(e, ERR_INPUT,
			"--%.*s: a secret on the command line can be read by every user of the "
			"machine; set %s, or %s in the config file",
			STR_ARG(name), where, s->name);
	}
	snprintf(where, sizeof(where), "--%.*s", STR_ARG(name));
	if (equals < arg.n)
		value = str_sub(arg, equals + 1, arg.n - equals - 1);
	else if (++*i < argc)
		value = str_of(argv[*i]);
	else
		return fail(e, ERR_INPUT, "%s: a value is missing", where);
	if (s != NULL)
		return apply(l, s, value, COMMAND_LINE, where, e);
	l->path = value;
	return true;
}

/* A variable that is set to nothing counts as unset. */
static bool
apply_environment(struct loader *l, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		char name[LONGEST_NAME];
		const char *value;

		env_name(settings[i].name, name);
		value = getenv(name);
		if (value == NULL || *value == '\0')
			continue;
		if (!apply(l, &settings[i], str_of(value), ENVIRONMENT, name, e))
			return false;
	}
	return true;
}

/* A comment begins with a '#' at the start of the line or behind a space, so that values
 * (a secret) may contain one. */
static struct str
without_comment(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' && (i == 0 || is_space(line.p[i - 1])))
			return str_sub(line, 0, i);
	return line;
}

static bool
apply_line(struct loader *l, struct str line, unsigned number, struct err *e)
{
	struct str text = str_trim(without_comment(line));
	size_t equals = str_find(text, '=', 0);
	struct str name = str_trim(str_sub(text, 0, equals));
	const struct setting *s = find_setting(name);
	char where[256];

	if (text.n == 0)
		return true;
	/* The end of a long path says more than its beginning. */
	snprintf(where, sizeof(where), "%s:%u",
		l->path.p + (l->path.n > 200 ? l->path.n - 200 : 0), number);
	if (equals == text.n)
		return fail(e, ERR_INPUT, "%s: expected \"name = value\"", where);
	if (s == NULL) {
		name = shown(name);
		return fail(e, ERR_INPUT, "%s: unknown setting \"%.*s\"", where, STR_ARG(name));
	}
	snprintf(where + strlen(where), sizeof(where) - strlen(where), ": %s", s->name);
	return apply(l, s, str_trim(str_sub(text, equals + 1, text.n - equals - 1)),
		CONFIG_FILE, where, e);
}

static bool
apply_file(struct loader *l, struct err *e)
{
	FILE *f = fopen(l->path.p, "re");
	struct str path = str_public(l->path);
	unsigned number = 0;
	char *line = NULL;
	size_t size = 0;
	bool ok = true;
	ssize_t n;

	if (f == NULL)
		return fail(e, ERR_INPUT, "config file \"%.*s\": %s", STR_ARG(path),
			strerror(errno));
	while (ok && (n = getline(&line, &size, f)) >= 0)
		ok = apply_line(l, (struct str){line, (size_t)n}, ++number, e);
	if (ok && ferror(f))
		ok = fail(e, ERR_INPUT, "config file \"%.*s\": %s", STR_ARG(path),
			strerror(errno));
	free(line);
	fclose(f);
	return ok;
}

bool
config_load(struct config *c, int argc, char **argv, struct err *e)
{
	struct loader l = {.c = c};
	const char *path = getenv(ENV_PREFIX "CONFIG");

	memset(c, 0, sizeof(*c));
	if (path != NULL && *path != '\0')
		l.path = str_of(path);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (!apply(&l, &settings[i], str_of(settings[i].def), DEFAULT, settings[i].name,
			    e))
			return false;
	for (int i = 0; i < argc; i++)
		if (!apply_flag(&l, argc, argv, &i, e))
			return false;
	if (l.path.p != NULL && !apply_file(&l, e))
		return false;
	return apply_environment(&l, e);
}

void
config_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct setting *s = &settings[i];
		char name[LONGEST_NAME], left[2 * LONGEST_NAME];

		if (s->is_secret) {
			env_name(s->name, name);
			snprintf(left, sizeof(left), "%s", name);
		} else {
			flag_name(s->name, name);
			snprintf(left, sizeof(left), "--%s %s", name,
				s->kind == KIND_INT ? "N" : "TEXT");
		}
		fprintf(out, "  %-*s%s", HELP_INDENT, left, s->help);
		if (*s->def != '\0')
			fprintf(out, " [%s]", s->def);
		fputc('\n', out);
	}
	fprintf(out, "  %-*s%s\n", HELP_INDENT, "--config PATH",
		"a file of lines `name = value`; # starts a comment");
	fprintf(out,
		"Each is also an environment variable (" ENV_PREFIX "STORE …) and a name in "
		"the file.\nThe command line wins over the environment, that over the file.\n");
}
