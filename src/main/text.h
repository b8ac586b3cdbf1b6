/* text – numbers, times and foreign text for people at a terminal. */
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "base/str.h"

#define TEXT_MAX 32

/* Both write into ${out} and return it. */
const char *text_count(int64_t n, char out[TEXT_MAX]); /* "1,234,567" */
const char *text_span(int64_t us, char out[TEXT_MAX]); /* "0.41 s", "2:05 min", "1:02:05 h" */

/* Prints ${s} with control characters shown as '?': text of users must not be able to
 * steer the terminal.  A line break becomes a line break and ${indent}. */
void text_print(FILE *out, struct str s, const char *indent);
