/* audience – whom `fanfare send` is for: segments, listed users, a filter, or everybody. */
#include "main/audience.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jr.h"
#include "base/jw.h"
#include "net/client.h"

/* Users in a campaign, and targets in a call of addtargets (api.md §2.3.1, §2.5). */
#define USERS_MAX   10000
#define TARGETS_MAX 10000

/* Splits at commas, blanks and line breaks; empty parts vanish. */
static void
split(struct arena *a, struct str text, struct str **out, size_t *n)
{
	static const char separators[] = ", \t\r\n";
	size_t at = 0, parts = 1;

	for (size_t i = 0; i < text.n; i++)
		parts += strchr(separators, text.p[i]) != NULL;
	*out = arena_array(a, parts, sizeof **out);
	*n = 0;
	while (at < text.n) {
		size_t from = at;

		while (at < text.n && !strchr(separators, text.p[at]))
			at++;
		if (at > from)
			(*out)[(*n)++] = str_sub(text, from, at - from);
		at++;
	}
}

static bool
read_file(struct arena *a, const char *path, struct str *out, struct err *e)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct buf b;
	ssize_t got;

	if (fd < 0)
		return fail(e, ERR_INPUT, "--users: %s: %s", path, strerror(errno));
	buf_init(&b, a, 65536);
	do {
		got = read(fd, buf_room(&b, 65536), 65536);
		b.n += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	*out = buf_view(&b);
	if (got < 0)
		(void)fail(e, ERR_INPUT, "--users: %s: %s", path, strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
	return got == 0;
}

/* User ids have neither '.' nor '/', so a text with one of them can only be a path. */
static bool
is_path(const char *users)
{
	return strcmp(users, "-") == 0 || strpbrk(users, "./") || access(users, F_OK) == 0;
}

static bool
read_users(struct arena *a, const char *users, struct audience *out, struct err *e)
{
	struct str text = str_of(users);

	if (is_path(users) && !read_file(a, users, &text, e))
		return false;
	split(a, text, &out->user_ids, &out->nusers);
	if (out->nusers == 0)
		return fail(e, ERR_INPUT, "--users: \"%s\" has no user ids", users);
	return true;
}

static bool
check_filter(struct arena *a, const char *filter, struct err *e)
{
	struct err why;
	json_t *root;

	if (!jr_parse(a, str_of(filter), &root, &why))
		return fail(e, ERR_INPUT, "--filter: %s", why.msg);
	if (!json_is_object(root) || json_object_size(root) == 0)
		return fail(e, ERR_INPUT,
			"--filter: expected an object such as "
			"{\"country\": \"NO\"}; --all-users is for everybody");
	return true;
}

bool
audience_read(
	struct arena *a, const struct audience_opts *opts, struct audience *out, struct err *e)
{
	int given = (opts->segment != NULL) + (opts->users != NULL) + (opts->filter != NULL) +
		    opts->all_users;

	*out = (struct audience){0};
	if (given != 1)
		return fail(e, ERR_INPUT,
			"%s of --segment, --users, --filter, --all-users is needed",
			given == 0 ? "one" : "only one");
	if (opts->users)
		return read_users(a, opts->users, out, e);
	if (opts->filter)
		return check_filter(a, opts->filter, e);
	if (!opts->segment)
		return true;
	split(a, str_of(opts->segment), &out->segment_ids, &out->nsegments);
	if (out->nsegments == 0)
		return fail(
			e, ERR_INPUT, "--segment: \"%s\" has no segment ids", opts->segment);
	return true;
}

static bool
make_segment(struct client *c, struct arena *a, const struct audience_opts *opts,
	struct str name, struct str *id, struct err *e)
{
	json_t *root, *segment;
	struct buf b;
	struct jw w;

	buf_init(&b, a, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "type", STR("user"));
	jw_kstr(&w, "name", name);
	if (opts->filter)
		jw_kraw(&w, "filter", str_of(opts->filter));
	if (opts->all_users)
		jw_kbool(&w, "all_users", true);
	jw_end_obj(&w);
	return client_json(c, a, "POST", STR("/segments"), buf_view(&b), &root, e) &&
	       jr_obj(root, "segment", REQUIRED, &segment, e) &&
	       jr_str(segment, "id", REQUIRED, id, e);
}

static bool
add_targets(struct client *c, struct arena *a, struct str segment, const struct str *ids,
	size_t n, struct err *e)
{
	struct str path = arena_printf(a, "/segments/%.*s/addtargets", STR_ARG(segment));
	struct buf b;
	bool ok = true;

	buf_init(&b, NULL, 65536);
	for (size_t i = 0; ok && i < n; i += TARGETS_MAX) {
		struct jw w;

		b.n = 0;
		jw_init(&w, &b);
		jw_obj(&w);
		jw_karr(&w, "target_ids");
		for (size_t j = i; j < MIN_OF(i + TARGETS_MAX, n); j++)
			jw_str(&w, ids[j]);
		jw_end_arr(&w);
		jw_end_obj(&w);
		ok = client_json(c, a, "POST", path, buf_view(&b), NULL, e);
	}
	buf_free(&b);
	return ok;
}

bool
audience_prepare(struct client *c, struct arena *a, const struct audience_opts *opts,
	struct str name, struct audience *audience, struct err *e)
{
	struct str *id;

	if (opts->segment || (opts->users && audience->nusers <= USERS_MAX))
		return true;
	id = arena_array(a, 1, sizeof *id);
	if (!make_segment(c, a, opts, name, id, e) ||
		!add_targets(c, a, *id, audience->user_ids, audience->nusers, e))
		return false;
	*audience = (struct audience){.segment_ids = id, .nsegments = 1};
	return true;
}
