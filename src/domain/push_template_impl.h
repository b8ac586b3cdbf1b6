/* push_template_impl – a compiled push template, as its compiler leaves it. */
#pragma once
#include "base/jscan.h"
#include "base/str.h"
#include "domain/push_template.h"

/* What stands behind a helper: a constant, or the way to a value. */
struct push_arg {
	struct jscan_value constant; /* type NONE: a path */
	struct str *keys; /* {"message", "text"}; "this" and "@index" are keys, too */
	size_t nkeys;
};

enum push_helper {
	PUSH_ECHO, /* no helper: the value itself */
	PUSH_JSON,
	PUSH_TRUNCATE,
	PUSH_REMAINDER,
	PUSH_IMPLODE,
	/* Blocks. */
	PUSH_IF,
	PUSH_UNLESS,
	PUSH_EACH,
	PUSH_EQUAL,
	PUSH_UNEQUAL,
	PUSH_LT,
	PUSH_LTE,
	PUSH_GT,
	PUSH_GTE,
};

#define PUSH_ARGS_MAX 2

struct push_node {
	struct push_node *next;
	struct str text; /* p != NULL: it stands for itself */
	enum push_helper helper;
	bool quoted; /* inside a JSON string */
	struct push_arg args[PUSH_ARGS_MAX];
	struct push_arg limit, suffix; /* of PUSH_IMPLODE; nkeys and constant unset: not said */
	struct push_node *body, *otherwise; /* of a block */
};

struct push_template {
	struct push_node *first;
};
