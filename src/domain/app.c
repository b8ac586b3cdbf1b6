/* app – loads the key pair and the id tag, making them at the first start. */
#include "domain/app.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/err.h"
#include "store/db.h"

#define KEY_LEN      12
#define KEY_MAX      128
#define SECRET_BYTES 32 /* of a generated one; twice that many characters */
/* Below what HS256 deserves, because the test suites of clients use short ones. */
#define SECRET_MIN 8
#define SECRET_MAX 512
#define TAG_BITS   58

/* What app_load hands to its transaction. */
struct load {
	struct arena *arena;
	struct str key, secret;         /* wanted; p == NULL: whatever is stored */
	struct str new_key, new_secret; /* for a store without an app */
	uint64_t new_tag;
	struct app app;
	bool generated;
};

/* Letters and digits that are not taken for each other: 32, so 5 random bits choose one. */
static struct str
random_key(struct arena *a)
{
	static const char alphabet[33] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t bytes[KEY_LEN];
	char *key = arena_alloc(a, KEY_LEN);

	crypt_random(bytes, sizeof bytes);
	for (size_t i = 0; i < KEY_LEN; i++)
		key[i] = alphabet[bytes[i] % 32];
	return (struct str){key, KEY_LEN};
}

static struct str
random_secret(struct arena *a)
{
	char bytes[SECRET_BYTES];

	crypt_random(bytes, sizeof bytes);
	return crypt_hex(a, (struct str){bytes, sizeof bytes});
}

static bool
check_pair(struct str key, struct str secret, struct err *e)
{
	if (key.n == 0 && secret.n == 0)
		return true;
	if (key.n == 0)
		return fail(e, ERR_INPUT, "api_secret: given without api_key");
	if (secret.n == 0)
		return fail(e, ERR_INPUT, "api_key: given without api_secret");
	if (key.n > KEY_MAX)
		return fail(e, ERR_INPUT, "api_key: longer than %d bytes", KEY_MAX);
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] > '~')
			return fail(e, ERR_INPUT, "api_key: only printable ASCII is allowed");
	if (!str_utf8_valid(secret))
		return fail(e, ERR_INPUT, "api_secret: not UTF-8");
	if (secret.n < SECRET_MIN || secret.n > SECRET_MAX)
		return fail(e, ERR_INPUT, "api_secret: expected %d to %d bytes, got %zu",
			SECRET_MIN, SECRET_MAX, secret.n);
	return true;
}

static bool
read_app(struct db *db, struct arena *a, struct app *out, bool *found, struct err *e)
{
	struct rows rows;

	*found = false;
	if (!db_query(db, SQL_APP_GET, NO_ARGS, NO_BULK, &rows, e))
		return false;
	if (rows_next(&rows)) {
		*found = true;
		out->api_key = arena_dup(a, row_str(&rows, 0));
		out->api_secret = arena_dup(a, row_str(&rows, 1));
		out->id_tag = (uint64_t)row_int(&rows, 2);
	}
	return rows_end(&rows, e);
}

static bool
load_in(struct db *db, void *arg, struct err *e)
{
	struct load *l = arg;
	struct app *app = &l->app;
	bool found;

	if (!read_app(db, l->arena, app, &found, e))
		return false;
	l->generated = !found && !l->key.p;
	if (!found) {
		*app = (struct app){l->key.p ? l->key : l->new_key,
			l->key.p ? l->secret : l->new_secret, l->new_tag};
		return db_exec(db, SQL_APP_INSERT,
			ARGS(V_TEXT(app->api_key), V_TEXT(app->api_secret),
				V_INT((int64_t)app->id_tag), V_INT(clock_now_us())),
			NO_BULK, NULL, e);
	}
	if (!l->key.p || (str_eq(l->key, app->api_key) && str_eq(l->secret, app->api_secret)))
		return true;
	app->api_key = l->key;
	app->api_secret = l->secret;
	return db_exec(db, SQL_APP_SET_KEYS, ARGS(V_TEXT(l->key), V_TEXT(l->secret)), NO_BULK,
		NULL, e);
}

bool
app_load(struct db *db, struct arena *a, struct str key, struct str secret, struct app *out,
	bool *made, struct err *e)
{
	struct load l = {.arena = a};

	if (!check_pair(key, secret, e))
		return false;
	if (key.n > 0) {
		l.key = arena_dup(a, key);
		l.secret = arena_dup(a, secret);
	}
	l.new_key = random_key(a);
	l.new_secret = random_secret(a);
	crypt_random(&l.new_tag, sizeof l.new_tag);
	l.new_tag >>= 64 - TAG_BITS;
	if (!db_write(db, load_in, &l, e))
		return false;
	*out = l.app;
	*made = l.generated;
	return true;
}

bool
app_ready(struct db *db, struct err *e)
{
	int64_t apps;
	bool found;

	return db_get_int(db, SQL_APP_COUNT, NO_ARGS, &apps, &found, e);
}
