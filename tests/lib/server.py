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


def environment(store, /, **settings):
    """What a process on ${store} is told."""
    env = dict(os.environ, FANFARE_API_KEY=KEY, FANFARE_API_SECRET=SECRET, FANFARE_LISTEN="127.0.0.1:0",
               FANFARE_STORE=store if "://" in store or not store else "sqlite:" + store)
    env.update({"FANFARE_" + name.upper(): str(value) for name, value in settings.items()})
    return env


class CallFailed(Exception):
    """An answer that is no 2xx."""

    def __init__(self, method, path, answer):
        super().__init__(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        self.answer = answer


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Calls the server at ${url} over one keep-alive connection."""

    def __init__(self, url):
        self.url = url
        self.connection = http.client.HTTPConnection(url.split("//")[1], timeout=60)
        self.headers = {"Authorization": token(), "stream-auth-type": "jwt", "Content-Type": "application/json"}

    def ask(self, method, path, body=None, headers=None):
        """Whatever is answered; ${body}: bytes, or what becomes JSON."""
        text = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        key = f"{'&' if '?' in path else '?'}api_key={KEY}"
        self.connection.request(method, path + key, text, dict(self.headers, **(headers or {})))
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def call(self, method, path, body=None):
        answer = self.ask(method, path, body)
        if answer.status >= 300:
            raise CallFailed(method, path, answer)
        return answer.json


class Server(Client):
    """Starts ${binary} on ${store}, a SQLite file or an URL; ${log}: where its log goes."""

    def __init__(self, binary, store, log=os.environ.get("SERVER_LOG", "/dev/null"), **settings):
        with open(log, "a") as stderr:
            self.process = subprocess.Popen([binary, "serve"], env=environment(store, **settings),
                                            stdout=subprocess.PIPE, stderr=stderr, text=True)
        # However the test ends, the process that it started ends too.
        atexit.register(self.process.kill)
        for line in self.process.stdout:
            if line.startswith("listening on "):
                super().__init__(line.split()[-1])
                break
        else:
            raise RuntimeError(f"the server ended with {self.process.wait()} before it listened")

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
