/* log – one line per fact on standard error: time, level, message, key=value pairs.
 *
 * Called by engine, api and main only; lower floors return errors instead.  Every line is
 * escaped so that text of users cannot forge a second line (I-27). */
#pragma once
#include <stdbool.h>

#include "base/macros.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Set once before threads start. */
void log_set_level(enum log_level min);
bool log_parse_level(const char *name, enum log_level *out);

void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* Our own bug: prints the message and a backtrace, then aborts.  Leases make it safe. */
void panic(const char *fmt, ...) PRINTF(1, 2) NORETURN;
