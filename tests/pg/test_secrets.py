#!/usr/bin/env python3
"""test_secrets – wrong addresses of databases: one clear line, a failing exit, at once; and whatever
goes wrong, the password in an address is in no output, no log and no answer.

Usage: test_secrets.py [CLASS[.TEST] …], with the program in FANFARE_BIN or build/fanfare.  The last
line is "N passed, N failed".
"""
import os

from support import Case, cluster, main, until
import pg

postgres = None
PASSWORD = "S3cr3tPhrase"
# What may be told of it: nothing that could be found in it.
TRACES = ("S3cr3t", "Phrase")


def setUpModule():
    global postgres
    postgres = cluster()
    pg.sql(postgres.url, f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE bare LOGIN;")
    hba = postgres.folder + "/pg/data/pg_hba.conf"
    with open(hba) as f:
        rules = f.read()
    with open(hba, "w") as f:
        f.write("host all app,bare,nobody 127.0.0.1/32 scram-sha-256\nhost all barred 127.0.0.1/32 reject\n" + rules)
    pg.sql(postgres.url, "SELECT pg_reload_conf()")


class Secret(Case):
    def setUp(self):
        super().setUp()
        self.host = postgres.url.split("@")[1].split("/")[0]
        self.url = postgres.database(options="OWNER app").replace("fanfare@", f"app:{PASSWORD}@")

    def kept(self, text):
        for trace in TRACES:
            self.assertNotIn(trace, text)

    def refused(self, process, *arguments, **options):
        super().refused(process, *arguments, **options)
        self.kept(process.text)


class Addresses(Secret):
    def test_the_right_one(self):
        process = self.run_command(self.url, "serve", log_level="debug")
        process.says("^listening on ")
        process.popen.terminate()
        self.assertEqual(process.ends(), 0)
        self.kept(process.text)

    def test_wrong_ones(self):
        name = pg.name_of(self.url)
        for user, why in (("app:Phrase", "password authentication failed for user"),
                          ("app", "no password supplied"),
                          ("app:", "no password supplied"),
                          (f"nobody:{PASSWORD}", "password authentication failed for user"),
                          (f"bare:{PASSWORD}", "password authentication failed for user"),
                          (f"barred:{PASSWORD}", "pg_hba.conf rejects connection")):
            with self.subTest(user):
                self.refused(self.run_command(f"postgresql://{user}@{self.host}/{name}", "serve"), why)
        self.refused(self.run_command(self.url.replace(name, "nowhere"), "serve"), 'database "nowhere" does not exist')

    def test_wherever_the_address_stands(self):
        wrong = self.url.replace("app:", "app:x")
        config = os.path.join(self.folder, "fanfare.conf")
        with open(config, "w") as f:
            f.write(f"store = {wrong}\n")
        why = "password authentication failed"
        self.refused(self.run_command(wrong, "serve"), why)
        self.refused(self.run_command(wrong, "migrate"), why)
        self.refused(self.run_command("", "serve", "--store", wrong), why)
        self.refused(self.run_command("", "serve", "--store=" + wrong), why)
        self.refused(self.run_command("", "serve", "--config", config), why)

    def test_addresses_that_libpq_would_guess_at(self):
        """What a careless hand writes: characters that must be escaped, a forgotten scheme. Read to
        the letter the password is then a host, a port or a database, which is told."""
        name = pg.name_of(self.url)
        for url in (f"postgresql://app:S3cr3t@Phrase@{self.host}/{name}",
                    f"postgresql://app:S3cr3t/Phrase@{self.host}/{name}",
                    f"postgresql://app:S3cr3t?Phrase/x@{self.host}/{name}",
                    f"postgresql://app:S3cr3t#/Phrase@{self.host}/{name}",
                    f"postgresql://app:S3cr3t:Phrase/@{self.host}/{name}",
                    f"postgresql://app:S3cr3t%Phrase@{self.host}/{name}",
                    f"postgresql://app:{PASSWORD}@[{self.host}/{name}",
                    f"postgresql://app:{PASSWORD}@{self.host}/{name}?sslmod=disable",
                    f"postgresql://app:{PASSWORD}@{self.host}/{name}?{PASSWORD}",
                    f"postgresql://app:{PASSWORD}@{self.host}/{name}?password={PASSWORD}&x"):
            with self.subTest(url):
                self.refused(self.run_command(url, "serve"), "^fanfare: store: the URL is malformed; expected "
                             "postgresql://USER:PASSWORD@HOST:PORT/DATABASE")

    def test_addresses_that_lead_nowhere(self):
        """What no server will ever answer is not waited for."""
        name = pg.name_of(self.url)
        for place, why in ((f"127.0.0.1:x1/{name}", "the URL is malformed"),
                           (f"127.0.0.1:700000/{name}", "the URL is malformed"),
                           (f"{self.host}/{name}?sslmode=perhaps", "invalid sslmode value")):
            with self.subTest(place):
                self.refused(self.run_command(f"postgresql://app:{PASSWORD}@{place}", "serve"), why)

    def test_an_address_to_listen_on(self):
        self.refused(self.run_command("", "serve", listen=self.url), "expected ADDRESS:PORT")

    def test_other_schemes(self):
        for url in (f"postgresq://app:{PASSWORD}@{self.host}/x",
                    f"postgresql:/app:{PASSWORD}@{self.host}/x",
                    f"postgresql:app:{PASSWORD}",
                    f"POSTGRESQL://app:{PASSWORD}@{self.host}/x",
                    f"mysql://{self.host}/x?password={PASSWORD}",
                    f"host=127.0.0.1 password={PASSWORD}",
                    f"password={PASSWORD} host=127.0.0.1",
                    f" postgresql://app:{PASSWORD}@{self.host}/x",
                    f"app:{PASSWORD}@{self.host}/x",
                    f"'postgresql://app:{PASSWORD}@{self.host}/x'"):
            with self.subTest(url):
                process = self.run_command("", "serve", store=url)
                self.refused(process, "expected sqlite:PATH or postgresql://USER@HOST/DATABASE")

    def test_slips_of_the_command_line(self):
        for arguments in (["serve", self.url], ["serve", "--stor=" + self.url], ["serve", "--stor", self.url],
                          ["serve", "--log-level", self.url], ["serve", "--store-wait", self.url],
                          ["serve", "--store", self.url + "x" * 600], ["serve", "-store=" + self.url],
                          ["serve", "--config", self.url], ["migrate", self.url]):
            with self.subTest(arguments):
                process = self.run_command("", *arguments)
                self.refused(process, "^fanfare: ", code=2)

    def test_slips_of_the_config_file(self):
        config = os.path.join(self.folder, "fanfare.conf")
        for line in (f"stor = {self.url}", self.url, f"store {self.url}", f"log_level = {self.url}",
                     f"{self.url} = store", f"store_wait = {self.url}", f"{self.url}?x=1"):
            with self.subTest(line):
                with open(config, "w") as f:
                    f.write(line + "\n")
                process = self.run_command("", "serve", "--config", config)
                self.refused(process, "^fanfare: ", code=2)


class Running(Secret):
    """The server is up when the database, or the password, goes."""

    def test_outages(self):
        server = self.serve(self.url, log_level="debug")
        client = server
        client.call("POST", "/users", {"users": {"ann": {"id": "ann"}}})
        said = []

        def unserved():
            answer = client.ask("POST", "/users", {"users": {"bob": {"id": "bob"}}})
            said.append(f"{answer.headers} {answer.body.decode()}")
            return answer.status == 503

        def served():
            return not unserved()
        postgres.halt("immediate")
        until("an answer is 503", unserved)
        until("an answer is 503", unserved)
        postgres.resume()
        until("an answer is no 503", served)
        # The password is changed, and what is connected is thrown out.
        pg.sql(postgres.url, "ALTER ROLE app PASSWORD 'another'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE usename = 'app'")
        until("it is told why", lambda: unserved() and "password authentication failed" in server.log())
        pg.sql(postgres.url, f"ALTER ROLE app PASSWORD '{PASSWORD}'")
        until("an answer is no 503", served)
        # The database is dropped under its hands.
        pg.sql(postgres.url, f"DROP DATABASE {pg.name_of(self.url)} WITH (FORCE)")
        until("an answer is 503", unserved)
        server.stop()
        self.kept(server.log())
        for text in said:
            self.kept(text)
            # Where the database is, and who we are there, is the operator's matter alone.
            self.assertNotIn(self.host, text)
            self.assertNotIn('\\"app\\"', text)


if __name__ == "__main__":
    main()
