"""Reads every table of one ring through Polars and writes it to a ring of its own, then tells what it did as one line of
JSON: the Python member of `make demo`.

    python relay.py FROM TO [FOLDER]

Its ring has room for 8 frames of up to 16 MiB. It reads nothing before somebody reads its own ring.
"""

import json
import os
import platform
import sys
import time

import polars as pl
import pyarrow as pa
import qadataswap

PATIENCE_MS = 30_000


def addresses(array: pa.Array):
    """Every buffer of an array and of those below it, as address and size."""
    yield from ((buffer.address, buffer.size) for buffer in array.buffers() if buffer is not None and buffer.size)
    if isinstance(array, pa.DictionaryArray):
        yield from addresses(array.dictionary)


def percentiles(nanoseconds: list) -> dict:
    ordered = sorted(nanoseconds) or [0]

    def at(percent: int) -> int:
        return ordered[(len(ordered) * percent + 99) // 100 - 1]

    return {"count": len(nanoseconds), "p50_ns": at(50), "p99_ns": at(99), "max_ns": at(100)}


def main(source: str, target: str, folder: str = "/dev/shm") -> None:
    writer = qadataswap.create_writer(
        target, 8, slot_bytes=16 << 20, write_timeout_ms=PATIENCE_MS, directory=folder
    )
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while writer.reader_count() == 0:
        if time.monotonic() > deadline:
            raise TimeoutError(f"ring '{target}': nobody came to read it")
        time.sleep(0.001)
    reader = qadataswap.create_reader(source, attach_timeout_ms=PATIENCE_MS, directory=folder)

    inside = outside = 0
    latencies, writes = [], []
    for frame in reader.frames():
        table = frame.to_polars()
        latencies.append(time.clock_gettime_ns(time.CLOCK_MONOTONIC) - frame.published_ns)
        slot = range(frame.address, frame.address + frame.nbytes)
        # As pyarrow holds it. Polars shares all of it but the keys of dictionaries, which it numbers anew.
        for column in frame.to_arrow().columns:
            for chunk in column.chunks:
                for address, size in addresses(chunk):
                    if address in slot and address + size - 1 in slot:
                        inside += 1
                    else:
                        outside += 1
        before = time.perf_counter_ns()
        writer.write(table)
        writes.append(time.perf_counter_ns() - before)
        del table, frame
    read, written = reader.get_stats(), writer.get_stats()
    writer.close()
    told = {
        "about": f"Python {platform.python_version()}, Polars {pl.__version__}",
        "pid": os.getpid(),
        "frames": written["writes_count"],
        "rows": read["rows_read"],
        "bytes": read["bytes_read"],
        "missed": read["frames_missed"],
        "bytes_copied": read["bytes_copied"],
        "buffers": {"inside": inside, "outside": outside},
        "latency": percentiles(latencies),
        "write": percentiles(writes),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
