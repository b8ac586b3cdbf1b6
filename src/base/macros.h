/* macros – the few compiler attributes that the house uses. */
#pragma once

#define MUST_USE       __attribute__((warn_unused_result))
#define PRINTF(fmt, a) __attribute__((format(printf, fmt, a)))
#define NORETURN       __attribute__((noreturn))
#define UNUSED         __attribute__((unused))

#define ARRAY_LEN(a)   (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b)   ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)   ((a) > (b) ? (a) : (b))
