/* openapi – composes the document. */
#include "api/openapi.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/req.h"
#include "api/routes.h"
#include "base/log.h"

extern const char *const openapi_schemas[];
extern const size_t openapi_schemas_count;

#define MAX_PATH 128

static void
set(json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) != 0)
		panic("openapi: %s cannot be set", key);
}

static json_t *
load_schemas(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < openapi_schemas_count; i++) {
		json_error_t why;
		json_t *some = json_loads(openapi_schemas[i], JSON_REJECT_DUPLICATES, &why);

		if (some == NULL || json_object_update_missing(all, some) != 0)
			panic("openapi: schema file %zu, line %d: %s", i, why.line, why.text);
		json_decref(some);
	}
	return all;
}

/* {"$ref": …} to the schema ${operation}${kind}, or NULL when there is none. */
static json_t *
ref(const json_t *schemas, const char *operation, const char *kind)
{
	char name[MAX_PATH], path[MAX_PATH + 32];

	snprintf(name, sizeof(name), "%s%s", operation, kind);
	snprintf(path, sizeof(path), "#/components/schemas/%s", name);
	return json_object_get(schemas, name) ? json_pack("{s:s}", "$ref", path) : NULL;
}

static json_t *
content_of(const char *type, json_t *schema)
{
	if (schema == NULL)
		schema = json_pack("{s:s}", "type", "object");
	return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *
content(json_t *schema)
{
	return content_of("application/json", schema);
}

/* What stands in braces in the path, then the query's. */
static json_t *
parameters(const struct route *route, const json_t *schemas)
{
	json_t *list = json_array(), *query, *schema;
	char name[MAX_PATH];
	const char *key;

	for (const char *at = route->path; (at = strchr(at, '{')) != NULL; at++) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 1, "}"), at + 1);
		json_array_append_new(
			list, json_pack("{s:s,s:s,s:b,s:{s:s}}", "name", name, "in", "path",
				      "required", 1, "schema", "type", "string"));
	}
	snprintf(name, sizeof(name), "%sQuery", route->name);
	query = json_object_get(json_object_get(schemas, name), "properties");
	json_object_foreach(query, key, schema)
	{
		json_array_append_new(list, json_pack("{s:s,s:s,s:O}", "name", key, "in",
						    "query", "schema", schema));
	}
	return list;
}

static json_t *
responses(const struct route *route, const json_t *schemas)
{
	bool makes = strcmp(route->method, "POST") == 0 || strcmp(route->method, "PUT") == 0;
	const char *type = route->flags & ROUTE_TEXT_ANSWER ? "text/plain" : "application/json";

	return json_pack("{s:{s:s,s:o},s:{s:s,s:o}}", makes ? "201" : "200", "description",
		route->summary, "content",
		content_of(type, ref(schemas, route->name, "Response")), "default",
		"description", "what was wrong", "content", content(ref(schemas, "Error", "")));
}

/* Some operations have several paths; an id may be there once. */
static void
write_id(char id[MAX_PATH], const struct route *route, bool v2)
{
	const struct route *other;
	int nth = 1;

	for (size_t at = 0; routes_each(&at, &other) && other != route;)
		nth += strcmp(other->name, route->name) == 0;
	snprintf(id, MAX_PATH, nth > 1 ? "%s%s_%d" : "%s%s", route->name, v2 ? "V2" : "", nth);
}

static json_t *
operation(const struct route *route, const json_t *schemas, bool v2)
{
	char id[MAX_PATH];
	json_t *body = ref(schemas, route->name, "Request"), *op;

	write_id(id, route, v2);
	op = json_pack("{s:s,s:s,s:o,s:o}", "operationId", id, "summary", route->summary,
		"parameters", parameters(route, schemas), "responses",
		responses(route, schemas));
	if (route->flags & ROUTE_RAW_BODY)
		set(op, "requestBody",
			json_pack("{s:{s:{s:{s:s}}}}", "content", "application/x-ndjson",
				"schema", "type", "string"));
	else if (body != NULL)
		set(op, "requestBody", json_pack("{s:o}", "content", content(body)));
	if (route->flags & ROUTE_OPEN)
		set(op, "security", json_array());
	if (route->flags & ROUTE_ANONYMOUS)
		set(op, "security", json_pack("[{s:[]}]", "api_key"));
	if (route->flags & ROUTE_ADDITION)
		set(op, "x-fanfare-addition", json_true());
	if (route->flags & ROUTE_CLIENT)
		set(op, "x-fanfare-user-token", json_true());
	return op;
}

static void
add_path(json_t *paths, const char *prefix, const struct route *route, const json_t *schemas)
{
	char path[2 * MAX_PATH], method[16] = "";
	json_t *item;

	snprintf(path, sizeof(path), "%s%s", prefix, route->path);
	for (size_t i = 0; route->method[i] != '\0' && i + 1 < sizeof(method); i++)
		method[i] = (char)tolower((unsigned char)route->method[i]);
	item = json_object_get(paths, path);
	if (item == NULL) {
		item = json_object();
		set(paths, path, item);
	}
	set(item, method, operation(route, schemas, *prefix != '\0'));
}

static json_t *
paths(const json_t *schemas)
{
	json_t *all = json_object();
	const struct route *route;

	for (size_t at = 0; routes_each(&at, &route);) {
		add_path(all, "", route, schemas);
		if (!(route->flags & (ROUTE_OPEN | ROUTE_SOCKET)))
			add_path(all, route->flags & ROUTE_COMMON ? "/api/v2" : "/api/v2/chat",
				route, schemas);
	}
	return all;
}

/* Both at once: the key in the query, a token signed with the secret in the header. */
static json_t *
security_schemes(void)
{
	return json_pack("{s:{s:s,s:s,s:s},s:{s:s,s:s,s:s,s:s}}", "api_key", "type", "apiKey",
		"in", "query", "name", "api_key", "token", "type", "apiKey", "in", "header",
		"name", "Authorization", "description",
		"a JWT (HS256, signed with the API secret), without \"Bearer\"");
}

struct buf
openapi_document(void)
{
	json_t *schemas = load_schemas();
	json_t *doc = json_pack("{s:s,s:{s:s,s:s,s:s},s:[{s:[],s:[]}],s:o,s:{s:o,s:o}}",
		"openapi", "3.1.0", "info", "title", "Fanfare", "version", FANFARE_VERSION,
		"description",
		"Campaigns, segments, and the chat around them. Paths without a prefix answer "
		"with RFC 3339 times, those under /api/v2 with nanoseconds.",
		"security", "api_key", "token", "paths", paths(schemas), "components",
		"securitySchemes", security_schemes(), "schemas", schemas);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	struct buf out;

	if (text == NULL)
		panic("openapi: the document cannot be composed");
	buf_init(&out, NULL, strlen(text) + 1);
	buf_str(&out, str_of(text));
	free(text);
	json_decref(doc);
	return out;
}
