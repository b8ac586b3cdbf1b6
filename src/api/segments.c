/* segments – the endpoints of segments and their targets (api.md §2.5). */
#include "api/req.h"
#include "api/wire.h"
#include "domain/page.h"
#include "domain/segment.h"
#include "engine/engine.h"

#define SEGMENTS_DEFAULT 30
#define SEGMENTS_MAX     100
#define TARGETS_DEFAULT  1000
#define TARGETS_MAX      10000
#define APP_PK           1 /* there is one app */

static void
answer_segment(struct req *r, const struct segment *s)
{
	jw_name(&r->w, STR("segment"));
	wire_segment(r, s);
}

/* Its size is counted by the engine. */
static void
signal_size(struct req *r, const struct segment *s)
{
	if (s->size_due && r->ctx->engine != NULL)
		engine_wake(r->ctx->engine);
}

/* Clients of the first generation wrap the body in "segment" (api.md §2.3.8). */
static json_t *
unwrap(json_t *body)
{
	json_t *inner = json_object_get(body, "segment");

	return json_is_object(inner) && json_object_get(body, "type") == NULL ? inner : body;
}

static bool
read_change(const json_t *body, struct segment_change *out, struct err *e)
{
	json_t *filter = NULL;

	*out = (struct segment_change){0};
	if (!jr_str(body, "name", OPTIONAL, &out->name, e) ||
		!jr_str(body, "description", OPTIONAL, &out->description, e) ||
		!jr_obj(body, "filter", OPTIONAL, &filter, e))
		return false;
	out->filter = filter;
	return true;
}

static bool
create(struct req *r, struct err *e)
{
	struct segment_change change;
	struct segment s;
	json_t *body;

	if (!req_body(r, &body, e))
		return false;
	body = unwrap(body);
	if (!read_change(body, &change, e) || !jr_str(body, "id", OPTIONAL, &change.id, e) ||
		!jr_str(body, "type", REQUIRED, &change.type, e) ||
		!jr_bool(body, "all_users", OPTIONAL, &change.all_users, e) ||
		!jr_bool(body, "all_sender_channels", OPTIONAL, &change.all_sender_channels, e))
		return false;
	if (!segment_create(r->db, r->arena, &change, &s, e))
		return false;
	signal_size(r, &s);
	answer_segment(r, &s);
	return true;
}

static bool
get(struct req *r, struct err *e)
{
	struct segment s;

	if (!segment_get(r->db, r->arena, r->param[0], &s, e))
		return false;
	answer_segment(r, &s);
	return true;
}

static bool
update(struct req *r, struct err *e)
{
	struct segment_change change;
	struct segment s;
	json_t *body;

	if (!req_body(r, &body, e) || !read_change(body, &change, e))
		return false;
	if (!segment_update(r->db, r->arena, r->param[0], &change, &s, e))
		return false;
	signal_size(r, &s);
	answer_segment(r, &s);
	return true;
}

static bool
remove_segment(struct req *r, struct err *e)
{
	return segment_delete(r->db, r->arena, r->param[0], e);
}

static bool
query(struct req *r, struct err *e)
{
	struct page_ask ask;
	struct page_links links;
	struct segment *segments;
	size_t n;
	json_t *body;

	if (!req_body(r, &body, e) || !page_read(body, SEGMENTS_DEFAULT, SEGMENTS_MAX, &ask, e))
		return false;
	if (!segment_query(r->db, r->arena, r->ctx->app, &ask, &segments, &n, &links, e))
		return false;
	jw_karr(&r->w, "segments");
	for (size_t i = 0; i < n; i++)
		wire_segment(r, &segments[i]);
	jw_end_arr(&r->w);
	wire_links(r, &links);
	return true;
}

static bool
read_target_ids(struct req *r, struct str **ids, size_t *n, struct err *e)
{
	json_t *body;

	return req_body(r, &body, e) &&
	       jr_strs(r->arena, body, "target_ids", REQUIRED, SEGMENT_TARGETS_MAX, ids, n, e);
}

static bool
add_targets(struct req *r, struct err *e)
{
	struct str *ids;
	size_t n;

	return read_target_ids(r, &ids, &n, e) &&
	       segment_add_targets(r->db, r->arena, r->param[0], ids, n, e);
}

static bool
delete_targets(struct req *r, struct err *e)
{
	struct str *ids;
	size_t n;

	return read_target_ids(r, &ids, &n, e) &&
	       segment_remove_targets(r->db, r->arena, r->param[0], ids, n, e);
}

static bool
target_exists(struct req *r, struct err *e)
{
	return segment_has_target(r->db, r->arena, r->param[0], r->param[1], e);
}

static void
write_target(struct req *r, const struct segment_target *t)
{
	jw_obj(&r->w);
	jw_ki64(&r->w, "app_pk", APP_PK);
	jw_kstr(&r->w, "segment_id", r->param[0]);
	jw_kstr(&r->w, "target_id", t->id);
	req_ktime(r, "created_at", t->created_at);
	jw_end_obj(&r->w);
}

static bool
query_targets(struct req *r, struct err *e)
{
	struct page_ask ask;
	struct page_links links;
	struct segment_target *targets;
	size_t n;
	json_t *body;

	if (!req_body(r, &body, e) || !page_read(body, TARGETS_DEFAULT, TARGETS_MAX, &ask, e))
		return false;
	if (!segment_query_targets(
		    r->db, r->arena, r->ctx->app, r->param[0], &ask, &targets, &n, &links, e))
		return false;
	jw_karr(&r->w, "targets");
	for (size_t i = 0; i < n; i++)
		write_target(r, &targets[i]);
	jw_end_arr(&r->w);
	wire_links(r, &links);
	return true;
}

static const struct route routes[] = {
	{"POST", "/segments", "CreateSegment", create, ROUTE_CHAT, BODY_SMALL,
		"create a segment"},
	{"POST", "/segments/query", "QuerySegments", query, ROUTE_CHAT, BODY_SMALL,
		"list segments"},
	{"GET", "/segments/{id}", "GetSegment", get, ROUTE_CHAT, BODY_NONE, "get a segment"},
	{"PUT", "/segments/{id}", "UpdateSegment", update, ROUTE_CHAT, BODY_SMALL,
		"change name, description or filter of a segment"},
	{"DELETE", "/segments/{id}", "DeleteSegment", remove_segment, ROUTE_CHAT, BODY_NONE,
		"delete a segment"},
	{"POST", "/segments/{id}/addtargets", "AddSegmentTargets", add_targets, ROUTE_CHAT,
		BODY_LARGE, "add up to 10,000 targets to a segment"},
	{"POST", "/segments/{id}/deletetargets", "DeleteSegmentTargets", delete_targets,
		ROUTE_CHAT, BODY_LARGE, "remove up to 10,000 targets from a segment"},
	{"GET", "/segments/{id}/target/{target_id}", "SegmentTargetExists", target_exists,
		ROUTE_CHAT, BODY_NONE, "ask whether a target is in a segment"},
	{"POST", "/segments/{id}/targets/query", "QuerySegmentTargets", query_targets,
		ROUTE_CHAT, BODY_DEFAULT, "list the targets of a segment"},
};

const struct route_group routes_segments = {routes, ARRAY_LEN(routes)};
