#!/usr/bin/env python3
"""push – how fast a campaign reaches phones: notifications a second over one HTTP/2 connection to a
local service that takes everything (tests/bench/h2sink.c), from the campaign's start to the last.

Every recipient has one device.  Devices are written into the store before the server starts: what is
measured is reading, storing, sending and settling.

Usage: push.py [--pushes 100000] [--dir DIR] [--fanfare build/fanfare]
"""
import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from server import KEY, SECRET, Server  # noqa: E402

PATIENCE_S = 120
WANTED = 10000  # a second


def make_certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def make_key():
    return subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                          check=True, capture_output=True, text=True).stdout


def import_users(binary, server, folder, n):
    lines = "".join(f'{{"id":"user-{i:07d}","name":"User {i}"}}\n' for i in range(n))
    path = os.path.join(folder, "users.ndjson")
    with open(path, "w") as f:
        f.write(lines)
    env = dict(os.environ, FANFARE_URL=server.url, FANFARE_API_KEY=KEY, FANFARE_API_SECRET=SECRET)
    subprocess.run([binary, "import", "users", path], env=env, check=True, capture_output=True)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def put_devices(store):
    db = sqlite3.connect(store)
    db.execute("""INSERT INTO devices (uid, id, provider, provider_name, voip, created_at, seen_at)
                  SELECT uid, printf('%064x', uid), 'apn', NULL, 0, 1, 1 FROM users WHERE id LIKE 'user-%'""")
    db.commit()
    db.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pushes", type=int, default=100000)
    p.add_argument("--dir")
    p.add_argument("--fanfare", default="build/fanfare")
    a = p.parse_args()
    sink_path = os.path.join(os.path.dirname(os.path.abspath(a.fanfare)), "h2sink")
    with tempfile.TemporaryDirectory(dir=a.dir) as folder:
        store = os.path.join(folder, "push.db")
        server = Server(a.fanfare, store)
        import_users(a.fanfare, server, folder, a.pushes)
        server.stop()
        put_devices(store)
        cert, key = make_certificate(folder)
        sink = subprocess.Popen([sink_path, cert, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = int(sink.stdout.readline())
        server = Server(a.fanfare, store, webhook_allow="127.0.0.0/8", push_ca_file=cert)
        try:
            rate, cpu = measure(server, port, a.pushes)
        finally:
            server.stop()
            sink.stdin.close()
        connections, answered = map(int, sink.stdout.readline().split())
        sink.wait()
    print(f"push: {rate:,.0f} a second, {answered:,} over {connections} HTTP/2 connection(s), "
          f"{cpu / a.pushes * 1e6:.0f} us of processor each")
    if answered != a.pushes or connections != 1:
        sys.exit("push: every notification once, over one connection: no")
    if rate < WANTED:
        sys.exit(f"push: fewer than {WANTED:,} a second")


def measure(server, port, n):
    server.call("POST", "/users", {"users": {"news": {"id": "news", "name": "The News"}}})
    server.call("POST", "/push_providers", {"push_provider": {
        "name": "bench", "type": "apn", "apn_auth_type": "token", "apn_auth_key": make_key(), "apn_key_id": "K",
        "apn_team_id": "T", "apn_topic": "org.example", "apn_host": f"https://127.0.0.1:{port}"}})
    server.call("POST", "/segments", {"id": "all", "type": "user", "all_users": True})
    server.call("POST", "/campaigns", {
        "id": "c", "sender_id": "news", "segment_ids": ["all"], "create_channels": True,
        "channel_template": {"type": "messaging", "id": "{{receiver.id}}-news"},
        "message_template": {"text": "Hello {{ receiver.name }}, there is something new for you to read."}})
    began, used = time.monotonic(), cpu_seconds(server.process.pid)
    server.call("POST", "/campaigns/c/start", {})
    while True:
        route = next(r for r in server.call("GET", "/routes")["routes"] if r["ident"] == "apn:bench")
        took = time.monotonic() - began
        if route["sent"] >= n:
            return n / took, cpu_seconds(server.process.pid) - used
        if took > PATIENCE_S:
            sys.exit(f"push: {route}")
        time.sleep(0.02)


main()
