"""proxy – stands between the program and PostgreSQL, reads along, and loses what a test wants
lost: a statement on its way, or the answer to one that was carried out."""
import socket
import struct
import threading

import wire

# What becomes of a message from the program.
PASS = None
DROP = "drop"  # it does not arrive; both ends see the connection closed
LOSE = "lose"  # it arrives and is carried out; the answer does not arrive


class Message:
    """One message; of the transaction that it is in: begin (its first words), statements
    (names of the prepared ones that ran)."""

    def __init__(self, kind, payload, connection):
        self.kind, self.payload, self.connection = kind, payload, connection
        self.text = payload.split(b"\0")[0].decode() if kind == b"Q" else ""
        self.begin, self.statements = connection.begin, connection.statements

    @property
    def is_commit(self):
        return self.text.startswith("COMMIT")


class Connection:
    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(proxy.target)
        self.begin, self.statements, self.losing = "", [], None

    def note(self, kind, payload):
        if kind == b"Q" and payload.startswith(b"BEGIN"):
            self.begin, self.statements = payload.split(b"\0")[0].decode(), []
        elif kind == b"B":
            self.statements = self.statements + [payload.split(b"\0")[1].decode()]

    def from_client(self):
        stream = wire.reader(self.client)
        try:
            startup = wire.read_startup(stream)
            self.server.sendall(struct.pack("!I", len(startup) + 4) + startup)
            while True:
                kind, payload = wire.read_message(stream)
                self.note(kind, payload)
                message = Message(kind, payload, self)
                fate = self.proxy.fate(message)
                if fate == DROP:
                    self.proxy.lost(message, "")
                    break
                if fate == LOSE:
                    self.losing = message
                self.server.sendall(wire.message(kind, payload))
        except OSError:
            pass
        if not self.losing:
            self.close()

    def from_server(self):
        stream, tag = wire.reader(self.server), ""
        try:
            while True:
                kind, payload = wire.read_message(stream)
                if not self.losing:
                    self.client.sendall(wire.message(kind, payload))
                elif kind in b"CE":
                    tag = payload.split(b"\0")[0].decode()
                elif kind == b"Z":
                    self.proxy.lost(self.losing, tag)
                    break
        except OSError:
            pass
        self.close()

    def close(self):
        for sock in (self.client, self.server):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.proxy.connections.discard(self)


class Proxy:
    """url: the address to give to the program.  rule: from a Message to its fate; called under
    a lock.  losses: what was lost, as (message, tag of the answer)."""

    def __init__(self, url):
        self.target, self.rule, self.losses = wire.address(url), lambda message: PASS, []
        self.lock, self.connections = threading.RLock(), set()
        self.socket = socket.create_server(("127.0.0.1", 0))
        head, name = url.rsplit("/", 1)
        self.url = f"{head.rsplit('@', 1)[0]}@127.0.0.1:{self.socket.getsockname()[1]}/{name}" \
                   "?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                client = self.socket.accept()[0]
                try:
                    connection = Connection(self, client)
                except OSError:
                    client.close()
                    continue
                self.connections.add(connection)
                for run in (connection.from_client, connection.from_server):
                    threading.Thread(target=run, daemon=True).start()
        except OSError:
            pass  # closed

    def fate(self, message):
        with self.lock:
            return self.rule(message)

    def lost(self, message, tag):
        with self.lock:
            self.losses.append((message, tag))

    def lead_to(self, url):
        """From now on another server is reached, as after a failover."""
        self.target = wire.address(url)
        self.cut()

    def cut(self):
        for connection in list(self.connections):
            connection.close()

    def close(self):
        self.socket.close()
        self.cut()
