/* app_wire – the app and its settings as clients read them; secrets are in none of it. */
#pragma once

struct req;
struct settings;

/* The members of "app" for a server-side caller: all that the SDKs' types require. */
void app_wire(struct req *r, const struct settings *s);
/* For a client with a user token: what he needs to behave, and nothing of the back end. */
void app_wire_client(struct req *r, const struct settings *s);
