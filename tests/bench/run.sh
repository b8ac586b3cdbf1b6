#!/bin/sh
# run – the figures of the product: run.sh BUILD.  BENCH_SIZE=10M adds ten million.
set -e
here=$(dirname "$0")
python3 "$here/bench.py" --fanfare "$1/fanfare"
python3 "$here/audience.py" --fanfare "$1/fanfare"
ninja -C "$1" --quiet fanout crowd
python3 "$here/live.py" --fanfare "$1/fanfare"
python3 "$here/sockets.py" --fanfare "$1/fanfare"
ninja -C "$1" --quiet sink
python3 "$here/out.py" --fanfare "$1/fanfare"
ninja -C "$1" --quiet h2sink
python3 "$here/push.py" --fanfare "$1/fanfare"
