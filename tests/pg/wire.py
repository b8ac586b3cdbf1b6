"""wire – the PostgreSQL protocol, as far as tests need it: messages off a socket, a server that
says which version it is, and connections that are only held."""
import socket
import struct
import threading
from urllib.parse import urlsplit


def reader(sock):
    """Messages are read from this, and sent to the socket without delay."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock.makefile("rb", 1 << 16)


def read_exactly(stream, n):
    data = stream.read(n)
    if len(data) < n:
        raise ConnectionError("the other end has closed")
    return data


def read_message(stream):
    """(kind, payload); blocks."""
    kind, size = struct.unpack("!cI", read_exactly(stream, 5))
    return kind, read_exactly(stream, size - 4)


def read_startup(stream):
    return read_exactly(stream, struct.unpack("!I", read_exactly(stream, 4))[0] - 4)


def message(kind, payload=b""):
    return kind + struct.pack("!I", len(payload) + 4) + payload


def address(url):
    parts = urlsplit(url)
    return parts.hostname, parts.port


READY = message(b"Z", b"I")
# One row of one column: false.
NO = message(b"T", struct.pack("!H", 1) + b"no\0" + struct.pack("!IHIHiH", 0, 0, 16, 1, -1, 0)) + \
    message(b"D", struct.pack("!HI", 1, 1) + b"f")


class OldServer:
    """Says that it is PostgreSQL ${version}; whatever it is told to do, it did, and whatever it is
    asked is not so."""

    def __init__(self, version):
        self.greeting = message(b"R", struct.pack("!I", 0))
        for name, value in (("server_version", version), ("server_encoding", "UTF8"), ("client_encoding", "UTF8")):
            self.greeting += message(b"S", f"{name}\0{value}\0".encode())
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://old@127.0.0.1:{self.socket.getsockname()[1]}/old?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                threading.Thread(target=self.answer, args=self.socket.accept()[:1], daemon=True).start()
        except OSError:
            pass  # closed

    def answer(self, sock):
        with sock:
            try:
                stream = reader(sock)
                read_startup(stream)
                sock.sendall(self.greeting + READY)
                kind, text = read_message(stream)
                while kind != b"X":
                    sock.sendall((NO if b"pg_is_in_recovery()" in text else b"") +
                                 message(b"C", b"SET\0") + READY)
                    kind, text = read_message(stream)
            except OSError:
                pass

    def close(self):
        self.socket.close()


class Held:
    """As many connections as the server gives; held until close()."""

    def __init__(self, url):
        self.url, self.sockets = url, []
        self.take()

    def take(self):
        """All that are free."""
        user, name = urlsplit(self.url).username, self.url.rsplit("/", 1)[1]
        startup = struct.pack("!I", 196608) + f"user\0{user}\0database\0{name}\0\0".encode()
        while True:
            sock = socket.create_connection(address(self.url))
            sock.sendall(struct.pack("!I", len(startup) + 4) + startup)
            kind, stream = b"", reader(sock)
            while kind not in (b"Z", b"E"):
                kind, self.why = read_message(stream)
            if kind == b"E":
                sock.close()
                break
            self.sockets.append(sock)

    def run(self, sql):
        """By one of them."""
        self.sockets[0].sendall(message(b"Q", sql.encode() + b"\0"))
        stream = reader(self.sockets[0])
        while read_message(stream)[0] != b"Z":
            pass

    def close(self):
        for sock in self.sockets:
            sock.close()
        self.sockets = []
