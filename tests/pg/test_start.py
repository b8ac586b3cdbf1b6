#!/usr/bin/env python3
"""test_start – the program starts on databases as they are found in life: away, full, old, in use by
something else, newer, empty for two at once. It waits where waiting helps, else it ends with one
clear line.

Usage: test_start.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
import signal
import threading
import time

from support import Case, cluster, main, until
import pg
import proxy
import wire

postgres = None
WAITS = r"warn waiting for the database: store postgresql://fanfare@127\.0\.0\.1:\d+/\w+: "


def setUpModule():
    global postgres
    postgres = cluster()


class Away(Case):
    """The server does not answer, or not yet."""

    @classmethod
    def setUpClass(cls):
        cls.url = postgres.database()

    def setUp(self):
        super().setUp()
        postgres.halt()
        self.addCleanup(self.come_back)
        self.is_away = True

    def come_back(self):
        if self.is_away:
            postgres.resume()
        self.is_away = False

    def test_it_waits_and_comes_up(self):
        for command, end in (("serve", "^listening on "), ("migrate", "^the store has schema version ")):
            with self.subTest(command):
                process = self.run_command(self.url, command, store_wait=60)
                process.says(WAITS + "connection to server .* failed: Connection refused")
                time.sleep(2)
                self.assertEqual(len(process.lines), 1, process.text)
                self.come_back()
                process.says(end, within=10)
                postgres.halt()
                self.is_away = True

    def test_it_gives_up(self):
        process = self.run_command(self.url, "serve", store_wait=2)
        self.assertEqual(process.ends(), 1)
        self.assertTrue(2 <= process.seconds < 5, process.seconds)
        self.assertEqual(len(process.lines), 2, process.text)
        self.assertRegex(process.lines[0], WAITS)
        self.assertRegex(process.lines[1], "^fanfare: store postgresql://.*: connection to server .* refused")

    def test_it_does_not_wait_when_told_so(self):
        self.refused(self.run_command(self.url, "serve", store_wait=0), "^fanfare: store .* refused")

    def test_it_can_be_ended_while_it_waits(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.run_command(self.url, "serve", store_wait=60)
            process.says(WAITS)
            process.popen.send_signal(number)
            began = time.monotonic()
            process.ends()
            self.assertLess(time.monotonic() - began, 3)

    def test_it_waits_for_a_host_that_swallows_everything(self):
        """As a firewall does: connections are made, nothing is ever said."""
        mute = wire.socket.create_server(("127.0.0.1", 0))
        self.addCleanup(mute.close)
        url = f"postgresql://fanfare@127.0.0.1:{mute.getsockname()[1]}/x"
        process = self.run_command(url, "serve", store_wait=1)
        self.assertEqual(process.ends(), 1)
        self.assertLess(process.seconds, 10)
        self.assertRegex(process.lines[-1], "^fanfare: store postgresql://.*timeout")


class Full(Case):
    def test_it_waits_for_a_connection(self):
        full = cluster(conf="max_connections = 8\nsuperuser_reserved_connections = 0\nmax_wal_senders = 0")
        self.addCleanup(full.stop)
        url = full.database()
        held = wire.Held(url)
        self.addCleanup(held.close)
        self.assertIn(b"too many clients", held.why)
        process = self.run_command(url, "serve", store_wait=60)
        process.says(WAITS + ".*too many clients")
        held.close()
        process.says("^listening on ", within=10)

    def test_it_waits_for_a_connection_of_its_role(self):
        pg.sql(postgres.url, "CREATE ROLE narrow LOGIN CONNECTION LIMIT 2")
        url = postgres.database(options="OWNER narrow").replace("fanfare@", "narrow@")
        held = wire.Held(url)
        self.addCleanup(held.close)
        process = self.run_command(url, "migrate", store_wait=60)
        process.says(WAITS.replace("fanfare@", "narrow@") + ".*too many connections for role")
        held.close()
        process.says("^the store has schema version ", within=10)


class Unfit(Case):
    """Databases that will not do, however long one waits."""

    def test_another_version(self):
        for version in ("14.13", "9.6.24"):
            old = wire.OldServer(version)
            self.addCleanup(old.close)
            major = version.split(".")[0]
            self.refused(self.run_command(old.url, "serve"), f"is PostgreSQL {major}; version 15 or newer is needed")

    def test_versions_that_will_do(self):
        """The check is of the version and of nothing else: what speaks next fails elsewhere."""
        for version in ("15.0", "18beta1"):
            new = wire.OldServer(version)
            self.addCleanup(new.close)
            process = self.run_command(new.url, "serve")
            self.assertEqual(process.ends(), 1)
            self.assertNotIn("version 15", process.text)

    def test_another_encoding(self):
        for encoding in ("SQL_ASCII", "LATIN1"):
            url = postgres.database(options=f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
            self.refused(self.run_command(url, "serve"), f"has the encoding {encoding}; UTF8 is needed")

    def test_tables_of_something_else(self):
        url = postgres.database()
        pg.sql(url, "CREATE TABLE users (id INT); INSERT INTO users VALUES (7)")
        for command in ("serve", "migrate"):
            self.refused(self.run_command(url, command), "holds tables of something else; Fanfare needs a database")
        self.assertEqual(pg.sql(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "users")
        self.assertEqual(pg.sql(url, "SELECT id FROM users"), "7")
        # A schema of its own in that database will do.
        pg.sql(url, "CREATE SCHEMA own; ALTER ROLE fanfare IN DATABASE %s SET search_path = own" % pg.name_of(url))
        self.assertEqual(self.run_command(url, "migrate").ends(), 0)
        self.assertEqual(pg.sql(url, "SELECT id FROM public.users"), "7")

    def test_a_newer_schema(self):
        url = postgres.database()
        self.assertEqual(self.run_command(url, "migrate").ends(), 0)
        newest = int(pg.sql(url, "SELECT MAX(version) FROM schema_version"))
        pg.sql(url, f"INSERT INTO schema_version VALUES ({newest + 1})")
        for command in ("serve", "migrate"):
            self.refused(self.run_command(url, command),
                         f"has schema version {newest + 1}, newer than this program knows \\({newest}\\)")

    def test_no_such_database(self):
        self.refused(self.run_command(postgres.url.rsplit("/", 1)[0] + "/nowhere", "serve"),
                     'database "nowhere" does not exist')

    def test_no_right_to_make_tables(self):
        pg.sql(postgres.url, "CREATE ROLE poor LOGIN")
        url = postgres.database().replace("fanfare@", "poor@")
        self.refused(self.run_command(url, "serve"), "permission denied for schema public")

    def test_no_right_to_write(self):
        """A role that may read all and write nothing: it is told at the start, not to each client."""
        url = postgres.database()
        self.assertEqual(self.run_command(url, "migrate").ends(), 0)
        pg.sql(url, "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        self.refused(self.run_command(url.replace("fanfare@", "reader@"), "serve"),
                     "the role reader may not change the table \\w+")

    def test_no_right_to_read(self):
        url = postgres.database()
        self.assertEqual(self.run_command(url, "migrate").ends(), 0)
        pg.sql(url, "CREATE ROLE stranger LOGIN")
        self.refused(self.run_command(url.replace("fanfare@", "stranger@"), "serve"), "permission denied for table")


class Together(Case):
    def test_several_start_at_once_on_an_empty_database(self):
        steps = self.steps()
        for _ in range(5):
            url = postgres.database()
            # Without a key of their own: one of them makes the pair, and one alone prints it.
            processes = [self.run_command(url, "serve", api_key="", api_secret="") for _ in range(4)]
            for process in processes:
                process.says("^listening on ")
            made = [p.text for p in processes if "a key pair was made" in p.text]
            self.assertEqual(len(made), 1, made)
            self.assertEqual(pg.sql(url, "SELECT version FROM schema_version ORDER BY 1").split(), steps)
            self.assertEqual(pg.sql(url, "SELECT COUNT(*) FROM apps"), "1")
            for process in processes:
                process.popen.terminate()
                self.assertEqual(process.ends(), 0, process.text)

    def steps(self):
        url = postgres.database()
        self.assertEqual(self.run_command(url, "migrate").ends(), 0)
        return pg.sql(url, "SELECT version FROM schema_version ORDER BY 1").split()

    def test_migrate_is_killed_wherever_it_is(self):
        """SIGKILL at each of its messages, before and after the server got it: of each step there
        is nothing or all. Ends when a run passes without a kill: then all points were hit."""
        url = postgres.database()
        between = proxy.Proxy(url)
        self.addCleanup(between.close)
        whole = self.shapes_of_steps(url, between)
        points = 0
        for fate in (proxy.DROP, proxy.PASS):
            for n in range(1000):
                process = self.migrate_killed_at(between, n, fate)
                code = process.ends()
                self.assertIn(self.shape(url), whole, f"killed at message {n}")
                self.assertEqual(self.run_command(url, "migrate").ends(), 0)
                self.assertEqual(self.shape(url, reset=True), whole[-1])
                if code == 0:
                    break
                points += 1
            self.assertEqual(code, 0, process.text)
        self.assertGreater(points, 10)

    def test_another_migrates_wherever_it_is(self):
        """Between any two of its messages another program migrates, as far as it gets: both end
        well, and each step is there once."""
        url = postgres.database()
        between = proxy.Proxy(url)
        self.addCleanup(between.close)
        self.assertEqual(self.run_command(url, "migrate").ends(), 0)
        whole, n = self.shape(url, reset=True), 0
        while True:
            others = []

            def rule(message, seen=[]):
                seen.append(message)
                if len(seen) - 1 == n:
                    others.append(self.run_command(url, "migrate"))
                    until("it is done or must wait", lambda: others[0].popen.poll() is not None or self.someone_waits(url))
                return proxy.PASS
            between.rule = rule
            process = self.run_command(between.url, "migrate")
            for end in [process] + others:
                self.assertEqual(end.ends(), 0, f"another at message {n}: {end.text}")
            self.assertEqual(self.shape(url, reset=True), whole)
            if not others:
                break
            n += 1
        self.assertGreater(n, 5)

    @staticmethod
    def someone_waits(url):
        return pg.sql(url, "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0"

    def shapes_of_steps(self, url, between):
        """The shape before the first step and after each, by a program that is stopped between."""
        steps, shapes = self.steps(), [("", "")]
        for n in range(1, len(steps) + 1):
            between.rule = lambda m, n=n: proxy.DROP if f"VALUES ({n + 1})" in m.text else proxy.PASS
            self.run_command(between.url, "migrate", store_wait=0).ends()
            shapes.append(self.shape(url, reset=True))
            self.assertEqual(shapes[-1][0].split(), steps[:n])
        return shapes

    def migrate_killed_at(self, between, n, fate):
        """At its message ${n}, which arrives (PASS) or not (DROP)."""
        seen, is_known = [], threading.Event()

        def rule(message):
            seen.append(message)
            if len(seen) - 1 != n:
                return proxy.PASS
            is_known.wait()
            if fate == proxy.DROP:
                process.popen.kill()
            else:
                # Once the message is on its way.
                threading.Timer(0, process.popen.kill).start()
            return fate
        between.rule = rule
        process = self.run_command(between.url, "migrate", store_wait=0)
        is_known.set()
        return process

    @staticmethod
    def shape(url, reset=False):
        """Which steps a database says it has, and all that is in it; once the server has run to its
        end what it was told by the dead."""
        told = pg.sql(url, """
            SET client_min_messages = warning;
            DO $$ BEGIN WHILE EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                AND backend_type = 'client backend' AND pid <> pg_backend_pid())
            LOOP PERFORM pg_sleep(0.002), pg_stat_clear_snapshot(); END LOOP; END $$;
            SELECT to_regclass('schema_version') IS NOT NULL AS has_steps \\gset
            \\if :has_steps
            SELECT version FROM schema_version ORDER BY 1;
            \\endif
            \\echo =
            SELECT relkind, relname, attname, atttypid::regtype, attnotnull FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
            WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2, attnum;
            SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1;
            """ + ("DROP SCHEMA public CASCADE; CREATE SCHEMA public;" if reset else ""))
        steps, there = told.split("=", 1)
        return steps.strip(), there.strip()


if __name__ == "__main__":
    main()
