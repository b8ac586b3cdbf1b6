/* embed_text – files into C: embed_text OUT.c NAME FILE… writes an array NAME of their texts,
 * in the order given, and NAME_count. */
#include <stdio.h>
#include <stdlib.h>

static void
die(const char *what, const char *name)
{
	fprintf(stderr, "embed_text: %s: ", name);
	perror(what);
	exit(1);
}

/* As string literals of a line each, which every compiler takes in any number. */
static void
embed(FILE *out, const char *path)
{
	FILE *in = fopen(path, "r");
	int c, begun = 0;

	if (in == NULL)
		die("cannot be read", path);
	while ((c = getc(in)) != EOF) {
		if (!begun)
			fputs("\t\"", out);
		begun = c != '\n';
		if (c == '\n')
			fputs("\\n\"\n", out);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\%03o", (unsigned)c);
		else
			putc(c, out);
	}
	fputs(begun ? "\",\n" : "\t\"\",\n", out);
	if (ferror(in) || fclose(in) != 0)
		die("cannot be read", path);
}

int
main(int argc, char **argv)
{
	FILE *out;

	if (argc < 4) {
		fputs("usage: embed_text OUT.c NAME FILE…\n", stderr);
		return 2;
	}
	out = fopen(argv[1], "w");
	if (out == NULL)
		die("cannot be written", argv[1]);
	fprintf(out,
		"#include <stddef.h>\n\nextern const char *const %s[];\nextern const size_t "
		"%s_count;\n\nconst char *const %s[] = {\n",
		argv[2], argv[2], argv[2]);
	for (int i = 3; i < argc; i++)
		embed(out, argv[i]);
	fprintf(out, "};\n\nconst size_t %s_count = %d;\n", argv[2], argc - 3);
	if (fclose(out) != 0)
		die("cannot be written", argv[1]);
	return 0;
}
