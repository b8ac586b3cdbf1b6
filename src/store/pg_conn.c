/* pg_conn – a connection to PostgreSQL: made, set up, asked; what went wrong with it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypt.h"
#include "base/err.h"
#include "base/log.h"
#include "store/pg.h"

/* What holds for a whole session.
 *
 * Plans: arrays of a batch must drive index look-ups.  A plan made before a table was first
 * analysed takes it for small and scans or hashes it, which is slower by orders of magnitude
 * once it has grown, and the plan is kept.  Every statement of ours has an index to walk, so
 * the other ways are switched off for good, and one generic plan is made per statement.
 * enable_seqscan = off is a price and not a ban: where no index helps (filters on custom
 * data) tables are still read through.
 *
 * Writing: only db_write() says READ WRITE; what stands outside of it cannot write by mistake,
 * and may be asked twice.
 *
 * Time limits: what clients ask for ends with their deadline (pg_result), what the engine reads
 * may last.  Who waits for a lock gives up before his client does.  A process that was stopped
 * inside a transaction holds rows that others wait for; the server ends it after some seconds,
 * soon enough for the takeover that reliability.md promises (lease + 5 s). */
#define SESSION                                                                            \
	"SELECT set_config('synchronous_commit', 'on', false)"                             \
	"  WHERE current_setting('synchronous_commit') = 'off';"                           \
	"SET client_min_messages = error; SET plan_cache_mode = force_generic_plan;"       \
	"SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;" \
	"SET enable_material = off;"                                                       \
	"SET max_parallel_workers_per_gather = 0;"                                         \
	"SET jit = off; SET cursor_tuple_fraction = 1;"                                    \
	"SET default_transaction_read_only = on;"                                          \
	"SET statement_timeout = 0; SET lock_timeout = '2500ms';"                          \
	"SET idle_in_transaction_session_timeout = '4s'"

/* For so long the reason of a failure is asked for. */
#define WHY_US 2000000

/* ---- pauses --------------------------------------------------------------------------- */

int64_t
pg_jitter(int64_t max)
{
	uint32_t r;

	crypt_random(&r, sizeof(r));
	return max / 2 + (int64_t)(r % (uint32_t)(max / 2 + 1));
}

void
pg_sleep(int64_t max_ms)
{
	int64_t ms = pg_jitter(max_ms);
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) != 0)
		continue;
}

/* ---- messages -------------------------------------------------------------------------- */

/* The first line, which is what fits into one line of a log.  libpq never puts passwords
 * into its messages. */
static struct str
first_line(const char *text)
{
	struct str s = str_of(text == NULL ? "" : text);

	s.n = str_find(s, '\n', 0);
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static const char *
option(const PQconninfoOption *all, const char *name)
{
	for (; all->keyword != NULL; all++)
		if (strcmp(all->keyword, name) == 0)
			return all->val;
	return NULL;
}

/* One for each host, between commas; none is the usual one. */
static bool
are_ports(struct str list)
{
	for (size_t at = 0; at < list.n;) {
		size_t end = str_find(list, ',', at);
		int64_t port = 1;

		if (end > at && !str_to_i64(str_sub(list, at, end - at), &port))
			return false;
		if (port < 1 || port > UINT16_MAX)
			return false;
		at = end + 1;
	}
	return true;
}

/* Whether the parts of ${url} are what they seem.  In a password that holds an @ or a / which
 * is not escaped, libpq finds a host, a port or a database, and would tell it. */
static bool
is_sound(const char *url, const char *port)
{
	struct str s = str_of(url), place;
	size_t at;

	s = str_sub(s, 0, str_find(s, '?', 0));
	at = str_find(s, '@', 0);
	place = str_sub(s, MIN_OF(at + 1, s.n), s.n - MIN_OF(at + 1, s.n));
	if (str_find(place, '@', 0) < place.n)
		return false;
	/* Behind the two of the scheme. */
	if (at < s.n && str_find(s, '/', str_find(s, '/', 0) + 2) < at)
		return false;
	return port == NULL || are_ports(str_of(port));
}

/* An own function, since libpq's message about a malformed URL repeats it. */
char *
pg_show(const char *url, struct err *e)
{
	PQconninfoOption *all = PQconninfoParse(url, NULL);
	const char *host, *port, *name, *user;
	struct buf b;

	if (all == NULL || !is_sound(url, option(all, "port"))) {
		PQconninfoFree(all);
		fail(e, ERR_INPUT,
			"store: the URL is malformed; expected "
			"postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
			"with %%40 for an @ in a password, %%2F for a /");
		return NULL;
	}
	host = option(all, "host");
	port = option(all, "port");
	name = option(all, "dbname");
	user = option(all, "user");
	buf_init(&b, NULL, 128);
	buf_printf(&b, "postgresql://%s%s%s%s%s/%s", user ? user : "", user ? "@" : "",
		host ? host : "", port ? ":" : "", port ? port : "", name ? name : "");
	buf_char(&b, '\0');
	PQconninfoFree(all);
	return b.p;
}

bool
pg_is_lost(const struct pg_db *d)
{
	return d->s == NULL || PQstatus(d->s->conn) == CONNECTION_BAD;
}

/* Of the data and not of the moment: values that are malformed or out of range, that break a
 * constraint, go beyond a limit of the server, or that a trigger of the operator refuses. */
static bool
is_of_data(const char *state)
{
	return strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	       strncmp(state, "54", 2) == 0 || strcmp(state, "P0001") == 0;
}

bool
pg_fail(struct pg_db *d, PGresult *res, const char *what, struct err *e)
{
	const char *state = res == NULL ? NULL : PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary =
		res == NULL ? NULL : PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	struct str text = first_line(primary != NULL ? primary : PQerrorMessage(d->s->conn));
	bool lost = pg_is_lost(d);

	if (state == NULL)
		state = "";
	if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
		d->again = true;
	/* What was the primary became a standby: elsewhere is another. */
	if ((strcmp(state, "25006") == 0 || strcmp(state, "0A000") == 0) && d->s != NULL)
		d->s->broken = true;
	if (lost)
		fail(e, ERR_STORE, "the connection to the database was lost: %.*s",
			STR_ARG(text));
	else if (strcmp(state, "57014") == 0 && d->deadline != 0 && d->tx != PG_TX_WRITE)
		fail(e, ERR_TIMEOUT, "the query takes too long; narrow the filter");
	else if (strcmp(state, "23505") == 0)
		fail(e, ERR_STALE, "%s: %.*s", what, STR_ARG(text));
	else if (is_of_data(state))
		fail(e, ERR_UNFIT, "the store cannot take a value: %.*s (%s in %s)",
			STR_ARG(text), state, what);
	else
		fail(e, ERR_STORE, "%s: %.*s%s%s%s", what, STR_ARG(text), *state ? " (" : "",
			state, *state ? ")" : "");
	PQclear(res);
	return false;
}

static void
cancel(PGconn *conn)
{
	PGcancel *c = PQgetCancel(conn);
	char why[256];

	if (c == NULL)
		return;
	/* It may have ended meanwhile; the result tells. */
	if (!PQcancel(c, why, sizeof(why)))
		why[0] = '\0';
	PQfreeCancel(c);
}

/* Waits until something can be read, or the deadline; false: it passed. */
static bool
wait_until(const struct pg_db *d)
{
	struct pollfd p = {.fd = PQsocket(d->s->conn), .events = POLLIN};
	int64_t left = (d->deadline - clock_mono_us()) / 1000 + 1;

	return left > 0 && poll(&p, 1, (int)MIN_OF(left, 60000)) != 0;
}

PGresult *
pg_result(struct pg_db *d, int sent)
{
	PGresult *last = NULL, *res;
	bool waits = d->deadline != 0 && d->tx != PG_TX_WRITE;

	if (!sent)
		return NULL;
	while (waits && PQisBusy(d->s->conn)) {
		waits = wait_until(d);
		if (!waits)
			cancel(d->s->conn);
		else if (!PQconsumeInput(d->s->conn))
			break;
	}
	while ((res = PQgetResult(d->s->conn)) != NULL) {
		PQclear(last);
		last = res;
	}
	return last;
}

bool
pg_run(struct pg_db *d, const char *sql, struct err *e)
{
	PGresult *res = PQexec(d->s->conn, sql);
	ExecStatusType status = PQresultStatus(res);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return pg_fail(d, res, "store", e);
	PQclear(res);
	return true;
}

/* ---- why not --------------------------------------------------------------------------- */

/* The SQLSTATE in a verbose message, which has it behind the severity: "FATAL:  57P03: …", in
 * whatever language; of several hosts the last.  Empty: it is not of a server. */
static void
find_state(const char *message, char state[6])
{
	state[0] = '\0';
	for (const char *s = message; (s = strstr(s, ":  ")) != NULL; s += 3)
		if (strspn(s + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && s[8] == ':')
			snprintf(state, 6, "%.5s", s + 3);
}

/* Starting, stopping, in recovery; too many connections, out of memory; lost again. */
static bool
state_passes(const char *state)
{
	return strncmp(state, "57P", 3) == 0 || strncmp(state, "53", 2) == 0 ||
	       strncmp(state, "08", 2) == 0;
}

/* Notices would go to standard error line by line. */
static void
ignore_notice(void *arg UNUSED, const PGresult *res UNUSED)
{
}

/* Connects once more to ask why it fails: only before an attempt can codes be asked for in
 * place of texts.  *at_once: it failed before anything was sent. */
static PGconn *
ask_why(const char *const names[], const char *const values[], bool *at_once)
{
	PGconn *conn = PQconnectStartParams(names, values, 1);
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	int64_t until = clock_mono_us() + WHY_US, left;

	if (conn == NULL)
		panic("out of memory");
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	*at_once = PQstatus(conn) == CONNECTION_BAD;
	while (!*at_once && (next == PGRES_POLLING_WRITING || next == PGRES_POLLING_READING)) {
		struct pollfd p = {.fd = PQsocket(conn),
			.events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};

		left = (until - clock_mono_us()) / 1000;
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			break;
		next = PQconnectPoll(conn);
	}
	return conn;
}

/* Whether another attempt would fail in the same way: wrong password, unknown database or role,
 * an option that is none. */
static bool
is_hopeless(const char *const names[], const char *const values[])
{
	bool at_once, hopeless;
	PGconn *conn = ask_why(names, values, &at_once);
	char state[6];

	find_state(PQerrorMessage(conn), state);
	if (state[0] != '\0')
		hopeless = !state_passes(state);
	else if (at_once)
		hopeless = PQpingParams(names, values, 1) == PQPING_NO_ATTEMPT;
	else
		hopeless = PQconnectionNeedsPassword(conn) != 0;
	PQfinish(conn);
	return hopeless;
}

/* ---- connecting ------------------------------------------------------------------------ */

/* What the URL does not say, so that a peer that vanished is noticed within seconds. */
PGconn *
pg_connect(const char *url, const char *shown, bool *hopeless, struct err *e)
{
	static const char *const names[] = {"fallback_application_name", "connect_timeout",
		"keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", "target_session_attrs", "dbname", "client_encoding", NULL};
	const char *const values[] = {
		"fanfare", "5", "5", "2", "3", "10000", "primary", url, "UTF8", NULL};
	PGconn *conn = PQconnectdbParams(names, values, 1);
	struct str text;

	if (hopeless != NULL)
		*hopeless = false;
	if (conn == NULL)
		panic("out of memory");
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (PQstatus(conn) == CONNECTION_OK) {
		PGresult *res = PQexec(conn, SESSION);
		bool ok = PQresultStatus(res) == PGRES_COMMAND_OK;

		PQclear(res);
		if (ok)
			return conn;
	}
	text = first_line(PQerrorMessage(conn));
	if (hopeless != NULL)
		*hopeless = PQstatus(conn) == CONNECTION_OK || is_hopeless(names, values);
	fail(e, ERR_STORE, "store %s: %.*s", shown, STR_ARG(text));
	PQfinish(conn);
	return NULL;
}
