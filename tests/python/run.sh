#!/bin/sh
# Runs the Python packages against the program: run.sh BUILD.  make deps prepares the venv.
set -u
cd "$(dirname "$0")"
FANFARE_BIN=$(cd "../../${1:-build}" && pwd)/fanfare
export FANFARE_BIN
exec .venv/bin/python -W ignore report.py
