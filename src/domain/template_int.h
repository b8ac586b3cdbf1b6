/* template_int – what the files of the template share: program, nodes, values. */
#pragma once
#include "base/jscan.h"
#include "domain/template.h"

#define TEMPLATE_TEXT_MAX   ((size_t)64 << 10) /* bytes of one templated text */
#define TEMPLATE_JSON_MAX   ((size_t)1 << 20)  /* bytes of one JSON value */
#define TEMPLATE_IF_DEPTH   32                 /* ifs inside each other */
#define TEMPLATE_EXPR_DEPTH 32 /* parentheses, nots and filter arguments inside each other */
#define TEMPLATE_PATH_MAX   16 /* names in a dotted variable */
#define TEMPLATE_CHAIN_MAX  32 /* filters on one value */

/* ---- values --------------------------------------------------------------------- */

enum value_type {
	VALUE_NONE, /* undefined, or JSON null */
	VALUE_BOOL,
	VALUE_NUMBER,  /* text: as JSON writes it */
	VALUE_TEXT,    /* text */
	VALUE_ESCAPED, /* text: a JSON string, its quotes included, that has escapes */
	VALUE_JSON,    /* text: a JSON array or object */
	VALUE_TIME
};

/* Text is borrowed, or (in_out) made by a filter and kept at the end of the output until
 * the value is consumed: so rendering needs no memory of its own.  There only the offset
 * is good, since the output moves as it grows; template_eval_view() gives the bytes. */
struct value {
	enum value_type type;
	bool truth; /* BOOL */
	bool in_out;
	size_t at;       /* in_out: offset into the output; text.n bytes */
	struct str text; /* NUMBER, TEXT, ESCAPED, JSON */
	int64_t time;    /* TIME: µs */
};

#define VALUE_UNDEFINED ((struct value){.type = VALUE_NONE})

/* ---- expressions ---------------------------------------------------------------- */

enum variable_root { ROOT_UNKNOWN, ROOT_SENDER, ROOT_RECEIVER, ROOT_CHANNEL };

enum variable_field {
	FIELD_NOTHING, /* the bare root, or an unknown one: always undefined */
	FIELD_CUSTOM,
	FIELD_ID,
	FIELD_NAME,
	FIELD_IMAGE,
	FIELD_ROLE,
	FIELD_LANGUAGE,
	FIELD_TEAMS,
	FIELD_CREATED_AT,
	FIELD_UPDATED_AT,
	FIELD_LAST_ACTIVE,
	FIELD_TYPE,
	FIELD_CID,
	FIELD_TEAM
};

struct variable {
	enum variable_root root;
	enum variable_field field;
	struct str name;        /* as written */
	const struct str *path; /* below the field */
	size_t npath;
};

enum node_type {
	NODE_LITERAL,
	NODE_VARIABLE,
	NODE_FILTERED, /* first: the value; the others: FILTER, applied in order */
	NODE_FILTER,   /* first: the argument, if any */
	NODE_NOT,
	NODE_AND, /* any number of operands, so that long chains do not nest */
	NODE_OR,
	NODE_EQ,
	NODE_NE,
	NODE_LT,
	NODE_GT,
	NODE_LE,
	NODE_GE,
	NODE_IN,
	NODE_NOT_IN
};

struct node {
	enum node_type type;
	struct node *first; /* operands */
	struct node *next;  /* the parent's next operand */
	union {
		struct value literal;
		struct variable variable;
		const struct template_filter *filter;
	};
};

/* ---- the program ---------------------------------------------------------------- */

enum chunk_op {
	CHUNK_LITERAL,
	CHUNK_TEXT,        /* append expr as text */
	CHUNK_RECEIVER_ID, /* the same, and expr is receiver.id */
	CHUNK_STRING,      /* append expr as text, escaped: inside a JSON string */
	CHUNK_TYPED,       /* append expr as a JSON value */
	CHUNK_JUMP,        /* to target */
	CHUNK_JUMP_UNLESS, /* to target when expr is false */
};

struct chunk {
	enum chunk_op op;
	size_t target; /* index of a chunk; nchunks ends the program */
	union {
		struct str literal;
		const struct node *expr;
	};
};

struct template
{
	struct chunk *chunks;
	size_t nchunks;
	bool is_json;
	bool uses_variables, uses_channel;
	bool uses_receiver; /* in any other way than {{ receiver.id }} */
};

/* ---- compiling (template_parse.c, template_lex.c) --------------------------------- */

/* Where in a JSON value a text stands, for messages: "[0].title". */
struct template_place {
	const struct template_place *up;
	struct str key; /* p == NULL: an element */
	size_t index;
};

struct template_build {
	struct arena *arena;
	struct template *t;
	size_t chunk_cap;
	struct buf literal; /* pending: becomes a chunk when another kind follows */
	const char *field;
	const struct template_place *place; /* NULL: the field itself */
	struct err *e;
};

/* Appends the program of ${text}; in JSON mode also the quotes around it.  Fails: INPUT. */
bool template_parse_text(struct template_build *b, struct str text, bool json) MUST_USE;
/* Ends the pending literal. */
void template_parse_flush(struct template_build *b);

enum token_type { TOKEN_CLOSE, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_SYMBOL };

struct token {
	enum token_type type;
	size_t at;
	struct str text; /* STRING: between the quotes, not unescaped */
};

/* An {% if %} that waits for its {% endif %}. */
struct template_if {
	size_t at;
	size_t unless; /* the jump to the next branch; NO_CHUNK after {% else %} */
	size_t ends;   /* jumps to the end, chained through their targets */
};

struct template_parser {
	struct template_build *b;
	struct str text;
	bool json;
	bool typed;       /* json: the whole text is one {{ expr }}, so no quotes around it */
	size_t at;        /* the next byte to read */
	size_t opened;    /* the tag being read */
	char close;       /* '}' or '%': what ends it, before another '}' */
	struct token tok; /* read last */
	unsigned depth;
	struct template_if ifs[TEMPLATE_IF_DEPTH];
	size_t nifs;
};

/* Reads the next word of a tag into p->tok. */
bool template_lex_next(struct template_parser *p) MUST_USE;
void template_lex_skip_blanks(struct template_parser *p);
/* The byte ${ahead} of the cursor; 0 behind the end. */
char template_lex_peek(const struct template_parser *p, size_t ahead);
bool template_lex_at_symbol(const struct template_parser *p, const char *symbol);
bool template_lex_at_word(const struct template_parser *p, const char *word);
/* Fails with the line and column of the byte ${at}.  Always false. */
bool template_lex_refuse(const struct template_parser *p, size_t at, const char *fmt, ...)
	PRINTF(3, 4);
/* Fails because of p->tok.  Always NULL. */
struct node *template_lex_unexpected(const struct template_parser *p);

/* ---- evaluating (template_eval.c) ------------------------------------------------- */

struct template_run {
	const struct template_vars *vars;
	struct buf *out;
	size_t start; /* where the output began */
	size_t max;
	bool too_large; /* sticky */
};

/* The value of ${n}.  What was made for it is left at the end of the output, for the caller
 * to settle or to cut off. */
struct value template_eval_node(struct template_run *r, const struct node *n);
bool template_eval_truth(const struct template_run *r, const struct value *v);
/* Cuts the output to ${mark}, and moves the text of ${v} there if it was made behind. */
struct value template_eval_settle(struct template_run *r, size_t mark, struct value v);

/* For filters. */
struct value template_eval_json(struct jscan_value v);
/* The bytes of a value with text; good until the output grows. */
struct str template_eval_view(const struct template_run *r, const struct value *v);
/* ${v} turned into TEXT. */
struct value template_eval_text(struct template_run *r, struct value v);
/* Appends a TEXT with JSON escapes, without quotes. */
void template_eval_escape(struct template_run *r, const struct value *v);
/* False when ${v} is no moment: a time, or a text of RFC 3339 or YYYY-MM-DD. */
bool template_eval_time(struct template_run *r, struct value v, int64_t *us);
/* What the output has from ${at} on, as a value. */
struct value template_eval_made(struct template_run *r, enum value_type type, size_t at);

/* ---- filters (template_filter.c, template_case.c, template_date.c) ----------------- */

enum filter_arg { ARG_NONE, ARG_OPTIONAL, ARG_REQUIRED };

struct template_filter {
	const char *name;
	enum filter_arg arg;
	/* ${arg} is NULL when absent. */
	struct value (*apply)(struct template_run *r, struct value in, const struct value *arg);
};

/* NULL when there is none. */
const struct template_filter *template_filter_find(struct str name);

enum case_mode { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_FIRST };

/* Writes ${s} in another case to ${to}, which has room for s.n bytes: no letter grows.
 * Returns the number of bytes. */
size_t template_case_map(struct str s, enum case_mode mode, char *to);

/* Appends one letter of a date format (Django's set; others stand for themselves). */
void template_date_letter(struct buf *out, char letter, int64_t us);
