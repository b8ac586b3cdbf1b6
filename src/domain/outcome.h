/* outcome – what became of a recipient: the ledger's byte, and its names (api.md §12.9). */
#pragma once
#include <stdint.h>

/* Values are stored: never change or reuse one. */
#define OUTCOMES(X)                                             \
	X(PENDING, 0, PENDING, "pending")                       \
	X(SENT, 1, SENT, "sent")                                \
	X(IS_SENDER, 16, SKIPPED, "is_sender")                  \
	X(NO_SUCH_USER, 17, SKIPPED, "no_such_user")            \
	X(USER_DEACTIVATED, 18, SKIPPED, "user_deactivated")    \
	X(NO_CHANNEL, 19, SKIPPED, "no_channel")                \
	X(CHANNEL_DISABLED, 20, SKIPPED, "channel_disabled")    \
	X(NO_SUCH_CHANNEL, 21, SKIPPED, "no_such_channel")      \
	X(INVALID_CHANNEL_ID, 64, FAILED, "invalid_channel_id") \
	X(RENDERED_TOO_LARGE, 65, FAILED, "rendered_too_large") \
	X(MESSAGE_TOO_LONG, 66, FAILED, "message_too_long")     \
	X(INTERNAL_ERROR, 67, FAILED, "internal_error")

enum outcome {
#define X(name, value, kind, reason) OUTCOME_##name = value,
	OUTCOMES(X)
#undef X
};

enum outcome_kind { KIND_PENDING, KIND_SENT, KIND_SKIPPED, KIND_FAILED };

#define OUTCOME_VALUES 128

static inline enum outcome_kind
outcome_kind(int64_t o)
{
	switch (o) {
#define X(name, value, kind, reason) \
	case value:                  \
		return KIND_##kind;
		OUTCOMES(X)
#undef X
	default:
		return KIND_PENDING;
	}
}

static inline const char *
outcome_reason(int64_t o)
{
	switch (o) {
#define X(name, value, kind, reason) \
	case value:                  \
		return reason;
		OUTCOMES(X)
#undef X
	default:
		return "unknown";
	}
}
