"""What the steps of our way cost: a writer and a reader in one process, one step after another, everything warm."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import polars as pl
from ways import lend, room_for

# Rounds of a step, of which the first few are not counted.
ROUNDS, FIRST = 60, 10


def steps(frame: pl.DataFrame) -> dict[str, list[int]]:
    """By the name of each step, nanoseconds that its rounds took; the first is a step of nothing."""
    import qadataswap

    now = time.perf_counter_ns
    taken: dict[str, list[int]] = {}
    rounds = ROUNDS * (10 if frame.height < 1_000 else 1)

    def time_of(step: str, act: Callable[[], Any]) -> Any:
        started = now()
        done = act()
        taken.setdefault(step, []).append(now() - started)
        return done

    label = f"bench-{os.getpid()}-account"
    texts, slot = room_for(frame)
    with (
        qadataswap.create_writer(label, 2, slot_bytes=slot, prefault=True) as writer,
        qadataswap.create_reader(label, prefault=True) as reader,
    ):
        for _ in range(rounds):
            time_of("nothing", lambda: None)
            time_of("Polars: export of the frame as a stream", frame.__arrow_c_stream__)
            time_of("write", lambda: writer.write(frame))
            handed = time_of("read_frame of a frame that is there", reader.read_frame)
            table = time_of("to_polars of that frame", handed.to_polars)
            time_of("Polars: its constructor on that frame", lambda: pl.DataFrame(handed))
            time_of("Polars: row(-1)", lambda: table.row(-1))
            del handed, table
            writer.write(frame)
            table = time_of("read of a frame that is there", reader.read)
            held = [table]
            del table
            time_of("letting go of that table", held.clear)
            loan = lend(writer, frame, texts)
            time_of("commit", loan.commit)
            table = reader.read()
            del table, loan
    return {step: times[FIRST:] for step, times in taken.items()}
