/* watch – follows a campaign to its end and tells what became of it. */
#pragma once
#include "base/str.h"

struct client;

/* From here on Ctrl-C and SIGTERM do not end the process but are told by the descriptor
 * returned, for watch_campaign; -1 on failure. */
int watch_signals(void);

/* Polls campaign ${id} until it is completed or stopped, or until ${signals} tells of a
 * signal; shows progress on standard error and the outcome on standard output.  A server
 * that is away for a while is waited for.  Returns the exit status: OK when completed,
 * FAILED, or INTERRUPTED. */
int watch_campaign(struct client *c, struct str id, int signals);
