"""endpoint – an endpoint of a webhook that refuses some of what it is sent, and notes all of it: by
id, a digest of the body and the numbers of the attempts."""
import collections
import hashlib
import re
import socketserver
import threading

LENGTH = re.compile(rb"content-length: (\d+)", re.I)
ID = re.compile(rb"x-webhook-id: (\S+)", re.I)
ATTEMPT = re.compile(rb"x-webhook-attempt: (\d+)", re.I)
MESSAGE = re.compile(rb'"message":\{"id":"([0-9a-f-]{36})"')
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


class Endpoint(socketserver.ThreadingTCPServer):
    """What it was sent, by id; every ${nth} request is refused."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 256

    def __init__(self, nth=2):
        super().__init__(("127.0.0.1", 0), Connection)
        self.nth, self.url = nth, f"http://127.0.0.1:{self.server_address[1]}/hook"
        self.lock = threading.Lock()
        self.taken, self.seen, self.bodies, self.attempts = set(), 0, {}, collections.defaultdict(list)
        self.other_bodies, self.messages = set(), {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, head, body):
        """Whether it is taken."""
        ident, digest = ID.search(head)[1], hashlib.sha256(body).digest()
        with self.lock:
            self.seen += 1
            if self.bodies.setdefault(ident, digest) != digest:
                self.other_bodies.add(ident)
            self.attempts[ident].append(int(ATTEMPT.search(head)[1]))
            found = MESSAGE.search(body)
            self.messages.setdefault(ident, found[1] if found else body[:200])
            if self.seen % self.nth == 0:
                return False
            self.taken.add(ident)
            return True

    @property
    def falling(self):
        """Of how many ids the number of the attempt fell."""
        return sum(1 for a in self.attempts.values() if any(y < x for x, y in zip(a, a[1:])))


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        data = b""
        while True:
            end = data.find(b"\r\n\r\n")
            length = LENGTH.search(data[:end]) if end >= 0 else None
            whole = end + 4 + int(length[1]) if length else None
            if whole is None or len(data) < whole:
                try:
                    some = self.request.recv(65536)
                except OSError:
                    return
                if not some:
                    return
                data += some
                continue
            good = self.server.take(data[:end], data[end + 4:whole])
            data = data[whole:]
            try:
                self.request.sendall(OK if good else BUSY)
            except OSError:
                return
