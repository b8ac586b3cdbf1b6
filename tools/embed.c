/* embed – turns .sql files into C: an enum of statements, their texts, the schema.
 *
 * embed OUT.h OUT.c FILE.sql…   Files below a folder named "schema" are schema steps, in the
 * order of their names (001_init.sql), for one engine alone when their first line is
 * "-- only: pg"; the others hold statements headed "-- name: x", each optionally followed by
 * "-- only: sqlite" or "-- only: pg", or by "-- large": it may return millions of rows, which
 * an engine that would gather them first must fetch in pieces.
 *
 * Rewritten per engine: "@rows(a BIGINT, b TEXT)" (bulk input), "@probe(users u ON …)" and
 * "@left_probe(…)" (joins of such rows with what an index finds), "@in(SELECT …)" (keys that
 * drive the look-up, whatever PostgreSQL knows of the table), "@skip_locked" (claims), and for
 * SQLite "$1" → "?1", since SQLite numbers $n by first appearance, and "INSERT" → "INSERT OR
 * FAIL": whoever fails rolls back to where his transaction began, or his savepoint, so the
 * statement need not be undone by itself, for which SQLite would keep the old state of each
 * page that it changes in memory. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STATEMENTS 1024
#define MAX_STEPS      64

enum engine { SQLITE, PG, ENGINES };

struct text {
	char *p;
	size_t n, cap;
};

struct statement {
	char name[64];
	const char *file;
	char *sql[ENGINES]; /* NULL: not for this engine */
	int params;         /* without the arrays of @rows */
	bool large;
};

struct step {
	const char *file;
	char *sql[ENGINES]; /* NULL: not for this engine */
};

static struct statement statements[MAX_STATEMENTS];
static size_t nstatements;
static struct step steps[MAX_STEPS];
static size_t nsteps;

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("embed: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static void
add(struct text *t, const char *p, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		t->cap = (t->n + n + 1) * 2;
		t->p = realloc(t->p, t->cap);
		if (t->p == NULL)
			die("out of memory");
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

static void
adds(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct text t = {0};
	char chunk[4096];
	size_t n;

	if (f == NULL)
		die("%s: cannot be opened", path);
	adds(&t, "");
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		add(&t, chunk, n);
	fclose(f);
	return t.p;
}

/* Comments do not count. */
static int
highest_param(const char *sql)
{
	int max = 0;

	for (const char *s = sql; *s != '\0'; s++) {
		if (s[0] == '-' && s[1] == '-')
			s += strcspn(s, "\n") - 1;
		else if (*s == '$' && isdigit((unsigned char)s[1]) && atoi(s + 1) > max)
			max = atoi(s + 1);
	}
	return max;
}

/* One column of @rows: name and type, both cut from ${s}; returns what follows. */
static const char *
read_column(const char *s, char name[64], char type[16])
{
	int used = 0;

	if (sscanf(s, " %63[a-z_0-9] %15[A-Z]%n", name, type, &used) != 2 || used == 0)
		die("@rows: expected a name and a type at: %.40s", s);
	s += used;
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static void
add_rows_column(enum engine engine, const char *name, const char *type, int i, int param,
	struct text *cols, struct text *names, struct text *arrays)
{
	bool is_blob = strcmp(type, "BLOB") == 0, is_json = strcmp(type, "JSON") == 0;
	bool is_int = strcmp(type, "BIGINT") == 0;
	char piece[160];

	if (!is_blob && !is_json && !is_int && strcmp(type, "TEXT") != 0)
		die("@rows: unknown type %s", type);
	if (engine == SQLITE)
		snprintf(piece, sizeof(piece), ", %c%d AS %s", is_blob ? 'b' : 'c', i, name);
	else
		snprintf(piece, sizeof(piece), ", %s%s", name, is_json ? "::json" : "");
	adds(cols, piece);
	snprintf(piece, sizeof(piece), "%s, ", name);
	adds(names, piece);
	snprintf(piece, sizeof(piece), "%s$%d::%s[]", i > 0 ? ", " : "", param,
		is_int    ? "bigint"
		: is_blob ? "bytea"
			  : "text");
	adds(arrays, piece);
}

/* ${s} stands behind "@rows("; returns what follows the ")". */
static const char *
expand_rows(const char *s, enum engine engine, int first_param, struct text *out)
{
	struct text cols = {0}, names = {0}, arrays = {0};
	char name[64], type[16];

	for (int i = 0;; i++) {
		s = read_column(s, name, type);
		add_rows_column(engine, name, type, i, first_param + i, &cols, &names, &arrays);
		if (*s++ == ')')
			break;
		if (s[-1] != ',')
			die("@rows: expected , or ) at: %.40s", s - 1);
	}
	if (engine == SQLITE) {
		adds(out, "(SELECT ord");
		adds(out, cols.p);
		adds(out, " FROM bulk)");
	} else {
		adds(out, "(SELECT ord - 1 AS ord");
		adds(out, cols.p);
		adds(out, " FROM unnest(");
		adds(out, arrays.p);
		adds(out, ") WITH ORDINALITY AS x(");
		adds(out, names.p);
		adds(out, "ord))");
	}
	free(cols.p);
	free(names.p);
	free(arrays.p);
	return s;
}

/* A join whose right side is looked up for each row of the left.  ${s} stands behind "@probe("
 * or "@left_probe(": "users u ON u.uid = r.uid)"; returns what follows the ")".  SQLite takes
 * CROSS JOIN for an order; PostgreSQL orders as its statistics say, and only a sub-query that
 * cannot be merged (OFFSET 0) is sure to be run row by row, which makes it use the index. */
static const char *
expand_probe(const char *s, enum engine engine, bool left, struct text *out)
{
	const char *on = strstr(s, " ON "), *end = on == NULL ? NULL : on + 4;
	char table[64], alias[16];
	int depth = 0;

	if (on == NULL || sscanf(s, "%63[a-z_] %15[a-z]", table, alias) != 2)
		die("@probe: expected TABLE ALIAS ON CONDITION at: %.40s", s);
	for (; *end != '\0' && (*end != ')' || depth > 0); end++)
		depth += (*end == '(') - (*end == ')');
	if (*end == '\0')
		die("@probe: expected ) behind: %.40s", s);
	adds(out, left ? "LEFT JOIN " : engine == PG ? "JOIN " : "CROSS JOIN ");
	if (engine == SQLITE) {
		for (; s < end; s++)
			add(out, *s == '$' ? "?" : s, 1);
		return end + 1;
	}
	adds(out, "LATERAL (SELECT * FROM ");
	add(out, s, (size_t)(on - s));
	adds(out, " WHERE ");
	add(out, on + 4, (size_t)(end - on - 4));
	adds(out, " OFFSET 0) AS ");
	adds(out, alias);
	adds(out, " ON true");
	return end + 1;
}

/* Comments and runs of white space go; engine words are expanded. */
static char *
translate(const char *sql, enum engine engine)
{
	struct text out = {0};
	int params = highest_param(sql), depth = 0, in_depth = -1;
	bool quoted = false;

	adds(&out, "");
	for (const char *s = sql; *s != '\0';) {
		if (*s == '\'')
			quoted = !quoted;
		if (quoted) {
			add(&out, s++, 1);
		} else if (s[0] == '-' && s[1] == '-') {
			while (*s != '\0' && *s != '\n')
				s++;
		} else if (isspace((unsigned char)*s)) {
			if (out.n > 0 && out.p[out.n - 1] != ' ')
				adds(&out, " ");
			s++;
		} else if (strncmp(s, "INSERT INTO ", 12) == 0) {
			adds(&out, engine == SQLITE ? "INSERT OR FAIL INTO " : "INSERT INTO ");
			s += 12;
		} else if (strncmp(s, "@rows(", 6) == 0) {
			s = expand_rows(s + 6, engine, params + 1, &out);
		} else if (strncmp(s, "@probe(", 7) == 0) {
			s = expand_probe(s + 7, engine, false, &out);
		} else if (strncmp(s, "@left_probe(", 12) == 0) {
			s = expand_probe(s + 12, engine, true, &out);
		} else if (strncmp(s, "@in(", 4) == 0) {
			if (in_depth >= 0)
				die("@in: inside of another one at: %.40s", s);
			adds(&out, engine == PG ? "= ANY (ARRAY(" : "IN (");
			in_depth = depth++;
			s += 4;
		} else if (*s == ')' && --depth == in_depth && in_depth >= 0) {
			adds(&out, engine == PG ? "))" : ")");
			in_depth = -1;
			s++;
		} else if (strncmp(s, "@skip_locked", 12) == 0) {
			adds(&out, engine == PG ? "FOR UPDATE SKIP LOCKED" : "");
			s += 12;
		} else if (*s == '$' && engine == SQLITE) {
			adds(&out, "?");
			s++;
		} else {
			depth += *s == '(';
			add(&out, s++, 1);
		}
	}
	while (out.n > 0 && (out.p[out.n - 1] == ' ' || out.p[out.n - 1] == ';'))
		out.p[--out.n] = '\0';
	return out.p;
}

static struct statement *
statement_named(const char *name, const char *file)
{
	struct statement *s;

	for (size_t i = 0; i < nstatements; i++)
		if (strcmp(statements[i].name, name) == 0)
			return &statements[i];
	if (nstatements == MAX_STATEMENTS)
		die("too many statements");
	s = &statements[nstatements++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->file = file;
	return s;
}

static void
add_statement(const char *file, const char *name, const char *only, bool large, const char *sql)
{
	struct statement *s = statement_named(name, file);

	s->params = highest_param(sql);
	s->large = large;
	for (int e = 0; e < ENGINES; e++) {
		if (*only != '\0' && strcmp(only, e == SQLITE ? "sqlite" : "pg") != 0)
			continue;
		if (s->sql[e] != NULL)
			die("%s: statement %s stands twice", file, name);
		s->sql[e] = translate(sql, (enum engine)e);
		if (s->sql[e][0] == '\0')
			die("%s: statement %s is empty", file, name);
	}
}

static void
read_statements(const char *file)
{
	char *all = read_file(file), *mark = strstr(all, "-- name:");

	while (mark != NULL) {
		char name[64] = "", only[16] = "";
		char *body = strchr(mark, '\n'), *next;

		if (sscanf(mark, "-- name: %63[a-z0-9_]", name) != 1 || body == NULL)
			die("%s: malformed name line", file);
		next = strstr(body, "-- name:");
		if (next != NULL)
			next[-1] = '\0';
		if (strncmp(body + 1, "-- only:", 8) == 0)
			sscanf(body + 1, "-- only: %15[a-z]", only);
		add_statement(file, name, only, strncmp(body + 1, "-- large\n", 9) == 0, body);
		mark = next;
	}
	free(all);
}

static void
add_step(const char *file)
{
	struct step *s = &steps[nsteps];
	char *sql = read_file(file);
	bool only = strncmp(sql, "-- only:", 8) == 0;

	if (nsteps++ == MAX_STEPS)
		die("too many schema steps");
	s->file = file;
	if (!only || strncmp(sql, "-- only: sqlite\n", 16) == 0)
		s->sql[SQLITE] = sql;
	if (!only || strncmp(sql, "-- only: pg\n", 12) == 0)
		s->sql[PG] = sql;
	if (s->sql[SQLITE] == NULL && s->sql[PG] == NULL)
		die("%s: -- only: sqlite or -- only: pg", file);
}

static void
write_c_string(FILE *f, const char *s)
{
	size_t column = 0;

	fputs("\"", f);
	for (; *s != '\0'; s++) {
		if (*s == '\n') {
			fputs("\\n\"\n\t\"", f);
			column = 0;
			continue;
		}
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s == '\t' ? ' ' : *s, f);
		if (++column > 80 && *s == ' ') {
			fputs("\"\n\t\"", f);
			column = 0;
		}
	}
	fputs("\"", f);
}

/* One initialiser per engine, each with a comma behind. */
static void
write_texts(FILE *f, char *const sql[ENGINES])
{
	for (int e = 0; e < ENGINES; e++) {
		if (sql[e] == NULL)
			fputs("NULL", f);
		else
			write_c_string(f, sql[e]);
		fputs(",\n\t", f);
	}
}

static void
write_header(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		die("%s: cannot be written", path);
	fputs("/* Made by tools/embed from store/sql. */\n#pragma once\n\nenum sql_id {\n", f);
	for (size_t i = 0; i < nstatements; i++) {
		fputs("\tSQL_", f);
		for (const char *s = statements[i].name; *s != '\0'; s++)
			fputc(toupper((unsigned char)*s), f);
		fprintf(f, ", /* %s */\n", strrchr(statements[i].file, '/') + 1);
	}
	fputs("\tSQL_COUNT\n};\n\nstruct sql_text {\n\tconst char *name;\n"
	      "\tconst char *sqlite; /* NULL: not for this engine */\n\tconst char *pg;\n"
	      "\tint params;\n\tint large; /* may return millions of rows */\n};\n\n"
	      "struct sql_step {\n\tconst char *name;\n"
	      "\tconst char *sqlite; /* NULL: not for this engine */\n\tconst char *pg;\n};\n\n"
	      "extern const struct sql_text sql_table[];\n"
	      "extern const struct sql_step sql_steps[];\nextern const int sql_nsteps;\n",
		f);
	fclose(f);
}

static void
write_source(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		die("%s: cannot be written", path);
	fputs("/* Made by tools/embed from store/sql. */\n#include <stddef.h>\n\n"
	      "#include \"store/sql_table.h\"\n\nconst struct sql_text sql_table[] = {\n",
		f);
	for (size_t i = 0; i < nstatements; i++) {
		fprintf(f, "\t{\"%s\",\n\t", statements[i].name);
		write_texts(f, statements[i].sql);
		fprintf(f, "%d, %d},\n", statements[i].params, statements[i].large);
	}
	fputs("};\n\nconst struct sql_step sql_steps[] = {\n", f);
	for (size_t i = 0; i < nsteps; i++) {
		fprintf(f, "\t{\"%s\",\n\t", strrchr(steps[i].file, '/') + 1);
		write_texts(f, steps[i].sql);
		fputs("},\n", f);
	}
	fprintf(f, "};\n\nconst int sql_nsteps = %zu;\n", nsteps);
	fclose(f);
}

int
main(int argc, char **argv)
{
	if (argc < 4)
		die("usage: embed OUT.h OUT.c FILE.sql…");
	for (int i = 3; i < argc; i++) {
		if (strstr(argv[i], "/schema/") != NULL)
			add_step(argv[i]);
		else
			read_statements(argv[i]);
	}
	write_header(argv[1]);
	write_source(argv[2]);
	return 0;
}
