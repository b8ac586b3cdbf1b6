#!/bin/sh
# run – the figures of the product: run.sh BUILD.  BENCH_SIZE=10M adds ten million.
exec python3 "$(dirname "$0")/bench.py" --fanfare "$1/fanfare"
