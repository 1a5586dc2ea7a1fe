"""The stream of tests/src/frames.rs in Python, and the roles that write, follow and record it.

Every value of table ``n`` is a function of the seed and ``n``, so whoever reads a frame knows what it has to be.
"""

import os
import sys
import threading
import time
from collections import deque
from signal import pause

import pyarrow as pa
import qadataswap

WORD = (1 << 64) - 1

SCHEMA = pa.schema(
    [
        pa.field("sequence", pa.uint64(), nullable=False),
        pa.field("key", pa.int64()),
        pa.field("price", pa.float64()),
        pa.field("at", pa.timestamp("ns", tz="UTC")),
        pa.field("flag", pa.bool_()),
        pa.field("symbol", pa.string_view()),
        pa.field("note", pa.large_string()),
        pa.field("venue", pa.dictionary(pa.int32(), pa.string())),
        pa.field("levels", pa.list_(pa.field("item", pa.int32()))),
        pa.field("digest", pa.binary(5)),
    ]
)


class Words:
    """A stream of random words (splitmix64), as in frames.rs."""

    def __init__(self, seed: int) -> None:
        self.state = seed & WORD

    def next_word(self) -> int:
        self.state = (self.state + 0x9E37_79B9_7F4A_7C15) & WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & WORD
        return z ^ (z >> 31)


def rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & WORD


def signed(word: int, bits: int) -> int:
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


def symbol(word: int):
    kinds = (None, "ES", f"{word % 10**12:012}", f"a string that is longer than twelve bytes: {word:x}")
    return kinds[word % 4]


def table(seed: int, sequence: int) -> pa.Table:
    """Table ``sequence`` of the stream ``seed``."""
    rows = 1 + Words(seed ^ rotated(sequence, 32)).next_word() % 40
    words = Words(rotated(seed, 17) ^ sequence)
    drawn = [words.next_word() for _ in range(rows)]
    columns = [
        [sequence] * rows,
        [signed(word, 64) if word % 7 else None for word in drawn],
        [(word >> 11) / 1024.0 for word in drawn],
        [word >> 2 for word in drawn],
        [bool(word & 64) if word % 5 else None for word in drawn],
        [symbol(word) for word in drawn],
        ["ß€" * (word % 6) if word % 3 else None for word in drawn],
        [("XCME", "XNAS", "XLON")[word % 3] if word % 11 else None for word in drawn],
        [
            [signed(word >> level, 32) if level != 1 else None for level in range(word % 4)] if word % 9 else None
            for word in drawn
        ],
        [word.to_bytes(8, "little")[:5] for word in drawn],
    ]
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, SCHEMA)], SCHEMA)


def check(seed: int, sequence: int, got: pa.Table) -> None:
    if not got.equals(table(seed, sequence)):
        raise ValueError(f"frame {sequence} differs")


def refused(error: qadataswap.QADataSwapError) -> dict:
    return {"Refused": {"kind": error.kind, "message": str(error)}}


def opened(open_one, say):
    """What ``open_one`` opens, or ``None``; either is said."""
    started = time.monotonic()
    try:
        handle, following = open_one()
    except qadataswap.QADataSwapError as error:
        say(refused(error))
        return None
    say({"Open": {"next": following, "millis": int((time.monotonic() - started) * 1000)}})
    return handle


def write(role: dict, open_writer, say) -> None:
    def open_one():
        writer = open_writer(role["ring"])
        return writer, writer.get_stats()["frames_published"]

    writer = opened(open_one, say)
    if writer is None:
        return
    following = writer.get_stats()["frames_published"]
    if role["wait"]:
        sys.stdin.readline()
    told = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
    until = role["until"]
    while (until is None or following < until) and not told.is_set():
        sequence = writer.write_arrow(table(role["seed"], following))
        if sequence != following:
            raise ValueError(f"wrote frame {sequence} instead of {following}")
        following += 1
    say({"Wrote": {"next": following}})
    while role["stay"]:
        pause()
    writer.close()


def follow(role: dict, open_reader, say) -> None:
    reader = opened(lambda: (open_reader(role["ring"]), 0), say)
    if reader is None:
        return
    lossless = role["ring"]["policy"] == "Lossless"
    tally = {"read": 0, "missed": 0, "first": None, "last": None}
    held: deque = deque()
    orphaned = False
    while True:
        try:
            frame = reader.read_frame(200)
        except qadataswap.EndOfStreamError:
            break
        except qadataswap.WriterDiedError:
            if not orphaned:
                say({"Orphaned": {"next": 0 if tally["last"] is None else tally["last"] + 1}})
            if not role["survive"]:
                return
            orphaned = True
            time.sleep(0.001)
            continue
        if frame is None:
            continue
        orphaned = False
        sequence, missed = frame.sequence, frame.missed
        held.append((sequence, frame.to_arrow()))
        del frame
        check(role["seed"], *held[-1])
        if tally["last"] is not None and tally["last"] + 1 + missed != sequence:
            raise ValueError(f"frame {sequence} after {tally['last']}, {missed} missed")
        if lossless and missed:
            raise ValueError(f"frame {sequence}: a lossless reader missed some")
        tally["first"] = sequence if tally["first"] is None else tally["first"]
        tally["last"] = sequence
        tally["read"] += 1
        tally["missed"] += missed if tally["read"] > 1 else 0
        while len(held) > role["hold"]:
            check(role["seed"], *held.popleft())
    for sequence, got in held:
        check(role["seed"], sequence, got)
    say({"Ended": tally})


def record(role: dict, options, say) -> None:
    ring = role["ring"]

    def open_one():
        recorder = qadataswap.Recorder(
            ring["name"],
            os.fspath(role["folder"]),
            rotate_bytes=role["rotate"],
            sync="never",
            attach_timeout_ms=ring["attach_ms"],
            **options(ring),
        )
        return recorder, 0

    recorder = opened(open_one, say)
    if recorder is None:
        return
    while True:
        try:
            recorder.record(200)
        except qadataswap.EndOfStreamError:
            break
        except qadataswap.WriterDiedError:
            time.sleep(0.001)
    stats = recorder.get_stats()
    recorder.close()
    say({"Fact": ["frames", stats["frames"]]})
    say({"Fact": ["missed", stats["missed"]]})
