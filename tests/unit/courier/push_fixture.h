/* push_fixture – an engine with six users (tests/unit/engine/house.h), the push trade on it,
 * and credentials of both services. */
#pragma once
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "../engine/house.h"
#include "base/jr.h"
#include "base/jw.h"
#include "courier/push.h"
#include "courier/trade.h"
#include "domain/app.h"
#include "domain/device.h"
#include "domain/message.h"
#include "domain/push_event.h"
#include "domain/push_preference.h"
#include "domain/push_provider.h"
#include "domain/settings.h"
#include "net/fetch.h"

static const struct app app = {.id_tag = 0x123456789abcdef};

struct post {
	struct house *h;
	struct push *push;
	struct trade trade;
	struct str rsa, ec; /* private keys, as JSON texts without quotes */
};

static inline struct str
pem_of(struct arena *a, EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf out;
	char *p;
	long n;

	assert_int_equal(
		PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	buf_init(&out, a, 2 * (size_t)n);
	jw_escape(&out, (struct str){p, (size_t)n});
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return buf_view(&out);
}

static inline int
post_setup(void **state)
{
	struct post *p = calloc(1, sizeof(*p));

	setup((void **)&p->h);
	p->push = push_new(&app, NULL);
	push_trade(p->push, &p->trade);
	p->rsa = pem_of(&p->h->f->arena, EVP_RSA_gen(2048));
	p->ec = pem_of(&p->h->f->arena, EVP_EC_gen("P-256"));
	*state = p;
	return 0;
}

static inline int
post_teardown(void **state)
{
	struct post *p = *state;

	push_free(p->push);
	teardown((void **)&p->h);
	free(p);
	return 0;
}

/* ---- what is set up -------------------------------------------------------------------- */

static inline void
put_provider(struct post *p, const char *json)
{
	struct fixture *f = p->h->f;
	struct push_provider out;
	struct err e;

	must(push_provider_put(f->db, &f->arena, parse(f, json), &out, &e), &e);
}

static inline void
put_firebase(struct post *p, const char *name)
{
	struct arena *a = &p->h->f->arena;
	struct buf account, quoted;

	buf_init(&account, a, 4096);
	buf_printf(&account,
		"{\"project_id\":\"proj\",\"client_email\":\"x@proj.iam\",\"private_key_id\":"
		"\"kid1\","
		"\"private_key\":\"%.*s\",\"token_uri\":\"https://tokens.test/t\"}",
		STR_ARG(p->rsa));
	buf_init(&quoted, a, 8192);
	jw_escape(&quoted, buf_view(&account));
	put_provider(p, arena_printf(a,
				"{\"type\":\"firebase\",\"name\":\"%s\",\"firebase_host\":"
				"\"https://fcm.test/\",\"firebase_credentials\":\"%.*s\"}",
				name, STR_ARG(buf_view(&quoted)))
				.p);
}

static inline void
put_apn(struct post *p, const char *name)
{
	put_provider(p, arena_printf(&p->h->f->arena,
				"{\"type\":\"apn\",\"name\":\"%s\",\"apn_auth_type\":\"token\","
				"\"apn_auth_key\":\"%.*s\",\"apn_key_id\":\"KEY1\",\"apn_team_"
				"id\":\"TEAM1\","
				"\"apn_topic\":\"org.example.app\",\"apn_host\":\"apns.test\"}",
				name, STR_ARG(p->ec))
				.p);
}

static inline void
put_device(struct post *p, const char *user, const char *id, const char *provider,
	const char *name)
{
	struct device d = {.uid = uid_of(p->h, user),
		.id = str_of(id),
		.provider = str_of(provider),
		.provider_name = str_of(name)};
	struct err e;

	must(device_add(p->h->f->db, &d, &e), &e);
}

static inline void
set(struct post *p, const char *json)
{
	struct fixture *f = p->h->f;
	struct err e;

	must(settings_change(f->db, &f->arena, parse(f, json), &e), &e);
}

static inline void
put_event(struct post *p, const char *json)
{
	struct fixture *f = p->h->f;
	struct push_event out;
	struct err e;

	must(push_event_put(f->db, &f->arena, parse(f, json), &out, &e), &e);
}

/* ---- what the courier would do --------------------------------------------------------- */

/* The routes that there are now. */
static inline struct out_route *
routes_of(struct post *p, size_t *n)
{
	struct fixture *f = p->h->f;
	struct out_route *routes;
	struct err e;

	must(p->trade.routes(p->trade.arg, f->db, &f->arena, &routes, n, &e), &e);
	return routes;
}

static inline struct out_route
route(struct post *p, const char *ident)
{
	size_t n;
	struct out_route *routes = routes_of(p, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(routes[i].ident, str_of(ident)))
			return routes[i];
	fail_msg("there is no route %s", ident);
	return (struct out_route){0};
}

/* Where the row of a route says that it is. */
static inline struct place
stored_place(struct post *p, const char *ident)
{
	struct fixture *f = p->h->f;
	struct route_row *rows;
	size_t n;
	struct err e;

	must(route_list(f->db, &f->arena, ROUTE_PUSH, &rows, &n, &e), &e);
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].route.ident, str_of(ident)))
			return rows[i].route.place;
	fail_msg("no row is of %s", ident);
	return (struct place){0};
}

/* All parcels from a place on, ${max} at a time; the place moves. */
static inline struct packed
pack_all(struct post *p, const struct out_route *r, struct place *at, size_t max)
{
	struct fixture *f = p->h->f;
	struct buf all;
	bool more = true;

	buf_init(&all, &f->arena, 1024);
	while (more) {
		struct place before = *at;
		struct packed some;
		struct err e;

		must(p->trade.pack(p->trade.arg, f->db, &f->arena, r, at, max, &some, &e), &e);
		more = some.more;
		assert_true(some.n <= max + DEVICE_MAX);
		assert_true(!more || at->pos > before.pos || at->next_key > before.next_key);
		buf_add(&all, some.parcels, some.n * sizeof(struct parcel));
	}
	return (struct packed){
		.parcels = (struct parcel *)(void *)all.p, .n = all.n / sizeof(struct parcel)};
}

/* The tokens of the devices in order, with spaces between. */
static inline const char *
addresses(struct post *p, struct packed packed)
{
	struct buf out;

	buf_init(&out, &p->h->f->arena, 64);
	for (size_t i = 0; i < packed.n; i++)
		buf_printf(&out, "%s%.*s", i ? " " : "", STR_ARG(packed.parcels[i].address));
	buf_char(&out, '\0');
	return out.p;
}

/* What has been written since is packed for a route. */
static inline const char *
hears(struct post *p, const struct out_route *r, struct place *at)
{
	return addresses(p, pack_all(p, r, at, 100));
}

static inline struct message
say(struct post *p, const struct channel *c, const struct message_draft *d)
{
	struct fixture *f = p->h->f;
	struct message m;
	struct err e;

	must(message_send(f->db, &f->arena, &app, c, d, &m, &e), &e);
	return m;
}

static inline struct message
say_text(struct post *p, const struct channel *c, const char *author, const char *text)
{
	return say(p, c,
		&(struct message_draft){.text = str_of(text), .author = uid_of(p->h, author)});
}
