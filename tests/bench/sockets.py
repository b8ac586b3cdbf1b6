#!/usr/bin/env python3
"""sockets – what idle connections cost, and how fast one event reaches all who watch.

* memory: the server's own, per connection, with 10,000 users connected and silent.  The second half
  counts: the first fills what grows once.
* fan-out: build/fanout, the hub alone over loopback TCP, events of 1,000 bytes.

Usage: sockets.py [--sockets 10000] [--dir DIR] [--fanfare build/fanfare]
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from server import KEY, SECRET, Server, b64  # noqa: E402

DIALS = 64  # handshakes under way
USERS_A_CALL = 100
PATIENCE_S = 120


def user_token(ident):
    head = b64(b'{"alg":"HS256","typ":"JWT"}') + b"." + b64(json.dumps({"user_id": ident}).encode())
    return (head + b"." + b64(hmac.new(SECRET.encode(), head, hashlib.sha256).digest())).decode()


def handshake(address, ident):
    hello = urllib.parse.quote(json.dumps({"user_id": ident}))
    return (f"GET /connect?json={hello}&api_key={KEY}&authorization={user_token(ident)}&stream-auth-type=jwt HTTP/1.1\r\n"
            f"Host: {address[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n").encode()


def connect_all(address, idents):
    """Sockets that have their first frame."""
    selector, out, waiting = selectors.DefaultSelector(), [], list(reversed(idents))
    deadline = time.monotonic() + PATIENCE_S
    while len(out) < len(idents):
        while waiting and len(selector.get_map()) < DIALS:
            s = socket.create_connection(address)
            s.sendall(handshake(address, waiting.pop()))
            s.setblocking(False)
            selector.register(s, selectors.EVENT_READ, bytearray())
        if time.monotonic() > deadline:
            sys.exit(f"only {len(out)} of {len(idents)} connected")
        for key, _ in selector.select(1):
            some = key.fileobj.recv(65536)
            key.data.extend(some)
            if not some or b'"error"' in key.data:
                sys.exit(f"refused: {bytes(key.data)!r}")
            if b'"health.check"' in key.data and key.data.endswith(b"}}"):
                selector.unregister(key.fileobj)
                out.append(key.fileobj)
    return out


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def idle_memory(binary, folder, n):
    server = Server(binary, os.path.join(folder, "sockets.db"), connections=n + 100)
    address = (server.url.split("//")[1].split(":")[0], int(server.url.rsplit(":", 1)[1]))
    idents = [f"user{i}" for i in range(n)]
    for i in range(0, n, USERS_A_CALL):
        server.call("POST", "/users", {"users": {u: {"id": u} for u in idents[i:i + USERS_A_CALL]}})
    sockets = connect_all(address, idents[:n // 2])
    half, began = resident_kib(server.process.pid), time.monotonic()
    sockets += connect_all(address, idents[n // 2:])
    took = time.monotonic() - began
    kib = (resident_kib(server.process.pid) - half) / (n - n // 2)
    for s in sockets:
        s.close()
    server.stop()
    return {"bench": "idle sockets", "sockets": n, "kib_each": round(kib, 2),
            "connects_per_s": round((n - n // 2) / took)}


def fan_out(binary, n):
    program = os.path.join(os.path.dirname(binary), "fanout")
    text = subprocess.run([program, str(n), "100", "1000"], check=True, capture_output=True, text=True).stdout
    return {"bench": "fan-out", **json.loads(text)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sockets", type=int, default=10000)
    parser.add_argument("--dir")
    parser.add_argument("--fanfare", default="build/fanfare")
    args = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        rows = [idle_memory(args.fanfare, folder, args.sockets)]
    rows.append(fan_out(args.fanfare, args.sockets))
    print(f"{rows[0]['kib_each']:.1f} KiB a socket of {args.sockets}; "
          f"{rows[1]['frames_per_s']:,} frames/s to {args.sockets} sockets")
    if os.environ.get("BENCH_JSON"):
        with open(os.environ["BENCH_JSON"], "a") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        print(*map(json.dumps, rows), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
