"""server – a fanfare process under test, and calls to it."""
import atexit
import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess

KEY, SECRET = "testkey", "testsecret-testsecret-testsecret"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token():
    head = b64(b'{"alg":"HS256","typ":"JWT"}') + b"." + b64(b'{"server":true}')
    return (head + b"." + b64(hmac.new(SECRET.encode(), head, hashlib.sha256).digest())).decode()


class CallFailed(Exception):
    """An answer that is no 2xx."""


class Server:
    """Starts ${binary} on ${store}, a SQLite file or an URL; one keep-alive connection."""

    def __init__(self, binary, store, **settings):
        env = dict(os.environ, FANFARE_API_KEY=KEY, FANFARE_API_SECRET=SECRET,
                   FANFARE_STORE=store if "://" in store else "sqlite:" + store, FANFARE_LISTEN="127.0.0.1:0")
        env.update({"FANFARE_" + name.upper(): str(value) for name, value in settings.items()})
        self.process = subprocess.Popen([binary, "serve"], env=env, stdout=subprocess.PIPE,
                                        stderr=open(os.environ.get("SERVER_LOG", "/dev/null"), "a"), text=True)
        # However the test ends, the process that it started ends too.
        atexit.register(self.process.kill)
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.url = line.split()[-1]
                break
        else:
            raise RuntimeError(f"the server ended with {self.process.wait()} before it listened")
        self.connection = http.client.HTTPConnection(self.url.split("//")[1], timeout=60)
        self.headers = {"Authorization": token(), "stream-auth-type": "jwt", "Content-Type": "application/json"}

    def call(self, method, path, body=None):
        text = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        self.connection.request(method, f"{path}?api_key={KEY}", text, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise CallFailed(f"{method} {path}: {answer.status} {content[:500]!r}")
        return json.loads(content)

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM:"))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.connection.close()

    def stop(self):
        """Drains and ends it; the exit code must be 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        self.connection.close()
        if code != 0:
            raise RuntimeError(f"the server ended with {code}")
