"""support – what the tests of PostgreSQL's faults share: processes whose every word is kept,
waiting for conditions, campaigns, and the auditor on a database."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import pg  # noqa: E402
import pgdump  # noqa: E402
from auditor import Audit  # noqa: E402
from server import Server, environment  # noqa: E402

FANFARE = os.path.abspath(os.environ.get("FANFARE_BIN", os.path.join(HERE, "../../build/fanfare")))


def until(what, probe, within=30, every=0.01):
    """What ${probe} returns, as soon as it is true."""
    deadline = time.monotonic() + within
    while True:
        seen = probe()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within} s in vain until {what}")
        time.sleep(every)


class Process:
    """A command from its first moment to its end; what it says is kept."""

    def __init__(self, env, folder, *arguments):
        self.file = tempfile.TemporaryFile("w+")
        self.began = time.monotonic()
        self.popen = subprocess.Popen([FANFARE, *arguments], env=env, cwd=folder, stdout=self.file,
                                      stderr=subprocess.STDOUT)

    @property
    def text(self):
        return os.pread(self.file.fileno(), 1 << 24, 0).decode()

    @property
    def lines(self):
        return self.text.splitlines()

    def says(self, pattern, within=30):
        """The match of a line that it says, or has said."""
        def probe():
            return re.search(pattern, self.text, re.M) or self.popen.poll() is not None
        found = until(f"{self.popen.args[1]} says {pattern!r}", probe, within)
        if found is True:
            found = re.search(pattern, self.text, re.M)
        if not found:
            raise AssertionError(f"it ended with {self.popen.returncode}, never saying {pattern!r}:\n{self.text}")
        return found

    def ends(self, within=30):
        """Its exit code; self.seconds: how long it ran."""
        try:
            code = self.popen.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{self.text}") from None
        self.seconds = time.monotonic() - self.began
        return code

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self.file.close()


class Case(unittest.TestCase):
    """Ends what a test started, however it went."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fanfare-pgtest-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.logs = 0

    def serve(self, store, **settings):
        """A server that is up; its log: server.log()."""
        self.logs += 1
        path = os.path.join(self.folder, f"log-{self.logs}")
        server = Server(FANFARE, store, log=path, **settings)
        self.addCleanup(self.end, server)
        server.log = lambda: open(path).read()
        return server

    def end(self, server):
        if server.process.poll() is None:
            server.kill()

    def run_command(self, url, *arguments, **settings):
        """A command from its first moment; ${url} "": nothing names a store."""
        process = Process(environment(url, **settings), self.folder, *arguments)
        self.addCleanup(process.close)
        return process

    def refused(self, process, pattern, code=1, within=5):
        """It ends at once, with ${code} and exactly one line, which tells why."""
        self.assertEqual(process.ends(), code, process.text)
        self.assertLess(process.seconds, within, process.text)
        self.assertEqual(len(process.lines), 1, process.text)
        self.assertRegex(process.text, pattern)

    def audit(self, url, expected=None):
        """The store of ${url} is as it must be; expected: see auditor.Audit."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = os.path.join(folder, "store.db")
            pgdump.copy(url, path, FANFARE)
            audit = Audit(path, None, expected)
        self.assertTrue(audit.clean, f"{audit.faults} {audit.notes}")
        return audit


def cluster(conf="", **options):
    """A PostgreSQL of our own. What it has written survives what is done to it here, which is no
    loss of power: it need not wait for the disk."""
    return pg.Postgres(own=True, conf="fsync = off\n" + conf, **options)


# ---- campaigns ------------------------------------------------------------------------------

SHAPES = ("{{receiver.id}}-{{sender.id}}", None, "x-{{receiver.id}}")


def make_users(client, n):
    """n users, a sender, and the segment "everyone"; returns who is in it."""
    ids = [f"user-{i:06d}" for i in range(n)]
    for at in range(0, n, 5000):
        client.call("POST", "/users/import",
                    "\n".join('{"id":"%s","name":"N %s"}' % (u, u) for u in ids[at:at + 5000]).encode())
    client.call("POST", "/users", {"users": {"sender": {"id": "sender", "name": "Sender"}}})
    client.call("POST", "/segments", {"id": "everyone", "type": "user", "all_users": True})
    return set(ids) | {"sender"}


def campaign(ident, shape=0):
    template = {"type": "messaging"}
    if SHAPES[shape % len(SHAPES)]:
        template["id"] = SHAPES[shape % len(SHAPES)]
    return {"id": ident, "sender_id": "sender", "segment_ids": ["everyone"], "create_channels": True,
            "channel_template": template, "message_template": {"text": "Hi {{receiver.name}}"}}


def start_campaign(client, ident, shape=0):
    client.call("POST", "/campaigns", campaign(ident, shape))
    client.call("POST", f"/campaigns/{ident}/start", {})


def is_completed(client, ident):
    """False as well while the server answers that its store does not."""
    answer = client.ask("GET", f"/campaigns/{ident}?limit=1")
    return answer.status == 200 and answer.json["campaign"]["status"] == "completed"


def completed(client, ident, within=60):
    until(f"{ident} is completed", lambda: is_completed(client, ident), within)


SLOW = """
CREATE FUNCTION test_slow() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(%f); RETURN NEW; END $$;
CREATE TRIGGER test_slow BEFORE UPDATE ON batches FOR EACH ROW WHEN (NEW.state = 2)
EXECUTE FUNCTION test_slow();
"""


def slow_down(url, seconds):
    """Lets each batch take this long inside its transaction, so that faults find it open."""
    pg.sql(url, SLOW % seconds)


class Timed(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.stream.write(f"{time.monotonic() - self.began:.1f} s … ")
        super().addSuccess(test)


def main():
    """Runs the tests of a file, or those that are named; the last line is "N passed, N failed"."""
    loader, module = unittest.defaultTestLoader, sys.modules["__main__"]
    tests = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, descriptions=False, resultclass=Timed).run(tests)
    bad = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    for test, why in result.skipped:
        print(f"SKIPPED {test.id().split('.', 1)[-1]}: {why}")
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed")
    sys.exit(1 if bad or result.testsRun == 0 else 0)
