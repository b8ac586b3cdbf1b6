"""pg – a throw-away PostgreSQL for tests in Python (tests/lib/pg.sh), databases in it, and what
befalls such a server: halts, crashes, promotions."""
import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pg.sh")


class Postgres:
    """A server: that of FANFARE_TEST_PG, or one of our own that ends with this process.

    own: never that of FANFARE_TEST_PG, which others use too; conf: lines of its
    configuration; folder: where it lies (default: a temporary one, which ends with it);
    standby_of: whose hot standby it is."""

    def __init__(self, own=False, conf="", folder=None, standby_of=None):
        self.folder, self.databases = None, 0
        self.url = None if own else os.environ.get("FANFARE_TEST_PG")
        if self.url:
            return
        self.folder = folder or tempfile.mkdtemp(prefix="fanfare-pg-")
        self.lent = folder is not None
        os.chmod(self.folder, 0o755)
        arguments = ["standby", self.folder + "/pg", standby_of.url] if standby_of else ["start", self.folder + "/pg"]
        self.url = subprocess.run([SCRIPT] + arguments, check=True, text=True, stdout=subprocess.PIPE,
                                  env=dict(os.environ, FANFARE_PG_CONF=conf)).stdout.strip()
        atexit.register(self.stop)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def script(self, verb, *rest, **options):
        subprocess.run([SCRIPT, verb, self.folder + "/pg", *rest], check=True, **options)

    def stop(self):
        if self.folder:
            subprocess.run([SCRIPT, "stop", self.folder + "/pg"], check=False)
            if not self.lent:
                os.rmdir(self.folder)
            self.folder = None

    def restart(self, mode):
        self.script("restart", mode)

    def halt(self, mode="fast"):
        self.script("halt", mode)

    def resume(self):
        """Starts it again, wherever it was left: after a crash its children, which still hold
        its memory, may take a moment to end."""
        until = time.monotonic() + 30
        while True:
            try:
                return self.script("resume", stderr=subprocess.PIPE, text=True)
            except subprocess.CalledProcessError as error:
                if time.monotonic() > until:
                    raise RuntimeError(error.stderr) from error
                time.sleep(0.1)

    def kill(self):
        """SIGKILL to the postmaster, as a machine without memory does; its children follow."""
        with open(self.folder + "/pg/data/postmaster.pid") as f:
            os.kill(int(f.readline()), signal.SIGKILL)

    def promote(self):
        self.script("promote")

    def database(self, template="template0", options=""):
        """Makes a database, empty unless it is the copy of another; returns its URL."""
        self.databases += 1
        name = f"fanfare_{os.getpid()}_{self.databases}"
        sql(self.url, f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return self.url.rsplit("/", 1)[0] + "/" + name

    def drop(self, url):
        sql(self.url, f"DROP DATABASE {name_of(url)} WITH (FORCE)")


def name_of(url):
    return url.rsplit("/", 1)[1]


def sql(url, text):
    """Runs statements (each its own transaction); returns what psql prints."""
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url], input=text,
                          check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
