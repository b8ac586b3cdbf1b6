/* json_cmp – compares one value inside a JSON text with a constant: what db_json_cmp() means.
 *
 * The test runs once per row of a filter on custom fields, so everything that depends on
 * the constant alone is prepared, and a test builds no tree.
 *
 * op           value          true when the value at the path …
 * eq           any            is equal; arrays and objects by their text, see jr_dump()
 * gt … lte     number, text   is of the same type and greater …; text by bytes
 * in           array          equals one of its elements
 * contains     any            is an array with an equal element, or text with that substring
 * any          array          is an array with an element that "in" finds
 * exists       true, false    is there / is not
 * autocomplete text           is text with a word that starts so, ASCII case ignored
 *
 * An absent value and null are the same.  Values of different types are never equal. */
#pragma once
#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"

/* A prepared test.  Testing changes nothing in it, so threads may share it. */
struct json_pred;

/* ${path}: keys between dots, tried as one literal key first; empty: the whole value.
 * Copies what it needs.  NULL when ${op} is unknown or does not take such a value. */
struct json_pred *json_pred_new(struct str path, struct str op, struct str value_json) MUST_USE;
void json_pred_free(struct json_pred *p); /* NULL is legal */
/* ${json}: valid JSON text, or p == NULL for none. */
bool json_pred_test(const struct json_pred *p, struct str json);

/* All at once: 1, 0, or −1 where json_pred_new() gives NULL. */
int json_cmp(struct str json, struct str path, const char *op, struct str value_json);
