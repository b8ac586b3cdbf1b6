/* client – JSON calls to a running server (libcurl behind it). */
#include "net/client.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/jr.h"

/* An answer larger than this is no answer of ours. */
#define REPLY_MAX ((size_t)64 << 20)

struct client {
	CURLM *multi;
	struct curl_slist *json_headers, *ndjson_headers;
	struct buf url;   /* the base, without '/' at the end */
	struct buf query; /* "api_key=…" */
	int timeout_ms;
	int watched;
};

/* libcurl without memory cannot go on, and neither can we. */
static void *
need(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct curl_slist *
append_header(struct curl_slist *list, const char *name, struct str value)
{
	struct buf b;

	buf_init(&b, NULL, 256);
	buf_printf(&b, "%s: %.*s", name, STR_ARG(value));
	buf_char(&b, '\0');
	list = need(curl_slist_append(list, b.p));
	buf_free(&b);
	return list;
}

static struct curl_slist *
make_headers(struct str token, const char *content_type)
{
	struct curl_slist *list = NULL;

	list = append_header(list, "Authorization", token);
	list = append_header(list, "stream-auth-type", STR("jwt"));
	list = append_header(list, "X-Stream-Client", STR("fanfare-" FANFARE_VERSION));
	list = append_header(list, "Content-Type", str_of(content_type));
	/* A large body goes at once instead of after a round trip. */
	list = append_header(list, "Expect", STR_NONE);
	return list;
}

/* Appends ${s} with everything but unreserved characters as %XX. */
static void
append_encoded(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			(c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' || c == '~')
			buf_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static bool
is_http_url(const char *url)
{
	CURLU *u = need(curl_url());
	char *scheme = NULL;
	bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  (str_is(str_of(scheme), "http") || str_is(str_of(scheme), "https"));

	curl_free(scheme);
	curl_url_cleanup(u);
	return ok;
}

bool
client_new(struct client **out, const struct client_opts *opts, struct err *e)
{
	struct str url = str_of(opts->url);
	struct client *c;

	if (!is_http_url(opts->url))
		return fail(e, ERR_INPUT, "\"%s\" is no URL such as http://127.0.0.1:8080",
			opts->url);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	while (str_ends(url, STR("/")))
		url.n--;
	c = need(calloc(1, sizeof *c));
	c->multi = need(curl_multi_init());
	c->json_headers = make_headers(opts->token, "application/json");
	c->ndjson_headers = make_headers(opts->token, "application/x-ndjson");
	buf_init(&c->url, NULL, url.n);
	buf_str(&c->url, url);
	buf_init(&c->query, NULL, 64);
	buf_str(&c->query, STR("api_key="));
	append_encoded(&c->query, opts->api_key);
	c->timeout_ms = opts->timeout_ms;
	c->watched = -1;
	*out = c;
	return true;
}

void
client_free(struct client *c)
{
	if (!c)
		return;
	curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->json_headers);
	curl_slist_free_all(c->ndjson_headers);
	buf_free(&c->url);
	buf_free(&c->query);
	free(c);
	curl_global_cleanup();
}

void
client_watch(struct client *c, int fd)
{
	c->watched = fd;
}

static size_t
keep_reply(char *p, size_t size, size_t n, void *arg)
{
	struct client_call *call = arg;

	if (call->reply.n + size * n > REPLY_MAX)
		return 0;
	buf_add(&call->reply, p, size * n);
	return size * n;
}

static void
set_url(const struct client *c, const struct client_call *call)
{
	struct buf url;

	buf_init(&url, NULL, c->url.n + call->path.n + c->query.n + 2);
	buf_str(&url, buf_view(&c->url));
	buf_str(&url, call->path);
	buf_char(&url, str_find(call->path, '?', 0) < call->path.n ? '&' : '?');
	buf_str(&url, buf_view(&c->query));
	buf_char(&url, '\0');
	curl_easy_setopt(call->handle, CURLOPT_URL, url.p);
	buf_free(&url);
}

void
client_begin(struct client *c, struct client_call *call)
{
	CURL *h;

	if (call->handle) {
		curl_easy_reset(call->handle);
	} else {
		call->handle = need(curl_easy_init());
		buf_init(&call->reply, NULL, 4096);
	}
	h = call->handle;
	call->reply.n = 0;
	call->status = 0;
	call->reached = false;
	call->why[0] = '\0';
	set_url(c, call);
	curl_easy_setopt(h, CURLOPT_PRIVATE, call);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, keep_reply);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(
		h, CURLOPT_HTTPHEADER, call->is_ndjson ? c->ndjson_headers : c->json_headers);
	if (call->body.p) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body.p);
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
	}
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, call->method);
	if (curl_multi_add_handle(c->multi, h) != CURLM_OK)
		abort();
}

/* Fills in how a call ended. */
static void
settle(struct client_call *call, CURLcode result)
{
	long status = 0;

	curl_easy_getinfo(call->handle, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK) {
		call->status = (int)status;
		return;
	}
	call->reached = result != CURLE_COULDNT_CONNECT && result != CURLE_COULDNT_RESOLVE_HOST;
	snprintf(call->why, sizeof call->why, "%s", curl_easy_strerror(result));
}

static struct client_call *
take_ended(struct client *c)
{
	struct client_call *call = NULL;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		CURL *h = m->easy_handle;
		CURLcode result = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(h, CURLINFO_PRIVATE, &call);
		curl_multi_remove_handle(c->multi, h); /* ${m} is gone from here on */
		settle(call, result);
		return call;
	}
	return NULL;
}

/* Also at the end of a pipe, of which curl_multi_poll does not tell. */
static bool
is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

struct client_call *
client_next(struct client *c, int timeout_ms)
{
	int64_t until = clock_mono_us() + (int64_t)timeout_ms * 1000;
	struct client_call *call;

	for (;;) {
		struct curl_waitfd extra = {.fd = c->watched, .events = CURL_WAIT_POLLIN};
		int64_t left = until - clock_mono_us();
		int running;

		curl_multi_perform(c->multi, &running);
		if ((call = take_ended(c)) != NULL)
			return call;
		if (left <= 0)
			return NULL;
		curl_multi_poll(
			c->multi, &extra, c->watched >= 0, (int)((left + 999) / 1000), NULL);
		if (c->watched >= 0 && is_readable(c->watched))
			return take_ended(c);
	}
}

void
client_finish(struct client *c, struct client_call *call)
{
	if (!call->handle)
		return;
	curl_multi_remove_handle(c->multi, call->handle);
	curl_easy_cleanup(call->handle);
	buf_free(&call->reply);
	call->handle = NULL;
}

/* The code whose HTTP status this is, as near as it gets. */
static enum err_code
code_of(int status)
{
#define X(name, http, wire)   \
	if (status == (http)) \
		return ERR_##name;
	ERR_CODES(X)
#undef X
	return status >= 500 ? ERR_BUG : ERR_INPUT;
}

bool
client_read(const struct client_call *call, struct arena *a, json_t **out, struct err *e)
{
	struct str text = buf_view(&call->reply);
	struct str message = STR_NONE;
	json_t *root = NULL;
	struct err ignored;

	if (call->status == 0)
		return fail(e, call->reached ? ERR_UNCERTAIN : ERR_STORE, "%s", call->why);
	if (call->status >= 300) {
		if (jr_parse(a, text, &root, &ignored))
			(void)jr_str(root, "message", OPTIONAL, &message, &ignored);
		if (message.p)
			return fail(e, code_of(call->status), "%.*s", STR_ARG(message));
		return fail(e, code_of(call->status), "the server answered %d", call->status);
	}
	if (!jr_parse(a, text, &root, e))
		return fail(e, ERR_BUG, "the server's answer is not JSON");
	if (out)
		*out = root;
	return true;
}

bool
client_json(struct client *c, struct arena *a, const char *method, struct str path,
	struct str body, json_t **out, struct err *e)
{
	struct client_call call = {.method = method, .path = path, .body = body};
	bool ok;

	client_begin(c, &call);
	/* The call has its own time limit; a little more, so that its own message is seen. */
	if (client_next(c, c->timeout_ms + 1000) == &call)
		ok = client_read(&call, a, out, e);
	else
		ok = fail(e, ERR_UNCERTAIN, "no answer was waited for");
	client_finish(c, &call);
	return ok;
}
