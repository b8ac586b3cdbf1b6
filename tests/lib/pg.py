"""pg – a throw-away PostgreSQL for tests in Python (tests/lib/pg.sh), and databases in it."""
import atexit
import os
import subprocess
import tempfile

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pg.sh")


class Postgres:
    """A server: that of FANFARE_TEST_PG, or one of our own that ends with this process."""

    def __init__(self):
        self.folder, self.databases = None, 0
        self.url = os.environ.get("FANFARE_TEST_PG")
        if self.url:
            return
        self.folder = tempfile.mkdtemp(prefix="fanfare-pg-")
        os.chmod(self.folder, 0o755)
        self.url = subprocess.run([SCRIPT, "start", self.folder + "/pg"], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout.strip()
        atexit.register(self.stop)

    def stop(self):
        if self.folder:
            subprocess.run([SCRIPT, "stop", self.folder + "/pg"], check=False)
            os.rmdir(self.folder)
            self.folder = None

    def restart(self, mode):
        subprocess.run([SCRIPT, "restart", self.folder + "/pg", mode], check=True)

    def database(self, template="template0"):
        """Makes a database; returns its URL."""
        self.databases += 1
        name = f"fanfare_{os.getpid()}_{self.databases}"
        sql(self.url, f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url.rsplit("/", 1)[0] + "/" + name

    def drop(self, url):
        sql(self.url, f"DROP DATABASE {name_of(url)} WITH (FORCE)")


def name_of(url):
    return url.rsplit("/", 1)[1]


def sql(url, text):
    """Runs statements (each its own transaction); returns what psql prints."""
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url], input=text,
                          check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
