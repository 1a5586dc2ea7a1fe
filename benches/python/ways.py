"""Ways to hand a Polars frame to another process: ours, and the floor under all of them."""

from __future__ import annotations

import contextlib
import os
from multiprocessing import shared_memory
from multiprocessing.connection import Connection

import numpy as np
import polars as pl

FLOOR = "floor: one memcpy, a byte through a pipe"
# Frames that a ring holds, and that are handed over before anything is timed: each slot is warm then on both sides.
SLOTS = 2


def bytes_of(frame: pl.DataFrame) -> int:
    """Bytes of the frame's columns as they lie in memory: of a string 16, and the string itself if it is longer than 12."""
    size = 0
    for column in frame.get_columns():
        size += -(-len(column) // 8) if column.null_count() else 0
        if column.dtype == pl.String:
            lengths = column.str.len_bytes()
            size += 16 * len(column) + (lengths.filter(lengths > 12).sum() or 0)
        else:
            size += column.to_physical().to_numpy().nbytes
    return size


def room_for(frame: pl.DataFrame) -> tuple[int, int]:
    """Room for long strings that a loan of the frame asks for in each column of them, and for all of the loan."""
    texts = [column.str.len_bytes() for column in frame.get_columns() if column.dtype == pl.String]
    var_bytes = max((lengths.filter(lengths > 12).sum() or 0 for lengths in texts), default=0)
    # A loan also has room for a bit of validity per row, whether there are nulls or not.
    return var_bytes, bytes_of(frame) + frame.width * frame.height // 8 + len(texts) * var_bytes + (1 << 20)


class Way:
    """A way to hand a frame over. `send` and `open_sender` run here, `receive` and `open_receiver` in the child."""

    name = ""
    # Modules without which it is no way here.
    needs: tuple[str, ...] = ()

    def __init__(self, label: str) -> None:
        self.label = f"bench-{os.getpid()}-{label}"

    def open_sender(self, frame: pl.DataFrame) -> None: ...
    def open_receiver(self) -> None: ...
    def opened(self) -> object: ...
    def connect(self, told: object) -> None: ...
    def prepare(self, frame: pl.DataFrame) -> None: ...
    def send(self, frame: pl.DataFrame, pipe: Connection) -> None: ...
    def receive(self, pipe: Connection) -> pl.DataFrame: ...
    def close(self) -> None: ...


class Floor(Way):
    """A copy into shared memory whose pages are warm. What arrives is no frame."""

    name = FLOOR

    def open_sender(self, frame: pl.DataFrame) -> None:
        self.bytes = max(bytes_of(frame), 1)
        self.source = np.ones(self.bytes, dtype=np.uint8)
        self.memory = shared_memory.SharedMemory(self.label, create=True, size=self.bytes)
        self.place = np.frombuffer(self.memory.buf, dtype=np.uint8, count=self.bytes)
        self.place[:] = 0

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        np.copyto(self.place, self.source)
        pipe.send_bytes(b"1")

    def receive(self, pipe: Connection) -> None:
        pipe.recv_bytes()

    def close(self) -> None:
        del self.place
        self.memory.close()
        self.memory.unlink()


class Ring(Way):
    """writer.write(frame), reader.read()."""

    name = "QADataSwap: write, read"
    needs = ("qadataswap",)
    wait = "balanced"

    def open_sender(self, frame: pl.DataFrame) -> None:
        import qadataswap

        self.var_bytes, slot = room_for(frame)
        self.writer = qadataswap.create_writer(self.label, SLOTS, slot_bytes=slot, prefault=True)

    def open_receiver(self) -> None:
        import qadataswap

        self.reader = qadataswap.create_reader(self.label, attach_timeout_ms=60_000, wait=self.wait, prefault=True)

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        self.writer.write(frame)

    def receive(self, pipe: Connection) -> pl.DataFrame:
        return self.reader.read()

    def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"/dev/shm/qads_{self.label}")


class SpinningRing(Ring):
    """As Ring, with a reader that has a core of its own."""

    name = "QADataSwap: write, read spinning"
    wait = "spin"


def lend(writer: object, frame: pl.DataFrame, var_bytes: int) -> object:
    """A loan of `writer` that is filled with `frame`, `var_bytes` bytes of long strings in a column at most."""
    loan = writer.loan(dict(frame.schema), frame.height, var_bytes)
    for column in frame.get_columns():
        if column.dtype == pl.String:
            loan.set_texts(column.name, column)
            continue
        values = column.to_physical()
        loan[column.name][:] = values.fill_null(0).to_numpy()
        for row in values.is_null().arg_true() if column.null_count() else ():
            loan.set_null(column.name, row)
    return loan


class LentRing(Ring):
    """The columns are built in the slot; timed is from commit to the frame."""

    name = "QADataSwap: loan, from commit"

    def prepare(self, frame: pl.DataFrame) -> None:
        self.loan = lend(self.writer, frame, self.var_bytes)

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        self.loan.commit()


OURS = [Ring, SpinningRing, LentRing]
