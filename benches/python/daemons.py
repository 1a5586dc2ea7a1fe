"""A Polars frame from one Python process to another, by stores that need a daemon: Ray and vineyard.

    make benchmark-all              # or, in the environment that it makes, target/daemons:
    python benches/python/daemons.py [--cases A B C D] [--rounds N] [--json FILE]

As dataframes.py does it, with its floor and its ring in the same rounds: timed is from before the send until the receiver has
a Polars frame whose last row it has looked at. What is told to be removed is removed outside of that. A store that is not
installed, or does not start, is left out, and the output says so and why.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection

import polars as pl
import pyarrow as pa
from dataframes import FLOOR, Floor, Pair, Ring, Way, case, fingerprint, now, turn

STORE_BYTES = 4 << 30


class Vineyard(Way):
    """Put into vineyardd, told by a pipe, got from there. It has no string views: large strings go instead."""

    name = "vineyard"

    def dial(self) -> None:
        import vineyard

        self.client = vineyard.connect(os.environ["VINEYARD_IPC_SOCKET"])

    def open_sender(self, frame: pl.DataFrame) -> None:
        self.dial()
        self.last = None

    def open_receiver(self) -> None:
        self.dial()

    def prepare(self, frame: pl.DataFrame) -> None:
        if self.last is not None:
            self.client.delete(self.last)

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        self.last = self.client.put(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        pipe.send(int(self.last))

    def receive(self, pipe: Connection) -> pl.DataFrame:
        import vineyard

        return pl.from_arrow(self.client.get(vineyard.ObjectID(pipe.recv())))

    def close(self) -> None:
        self.client.close()


class Ray(Way):
    """A name: RayPair is both ends."""

    name = "Ray, Arrow table to an actor"


class RayPair:
    """This process, and an actor that receives: as a Pair."""

    def __init__(self) -> None:
        import ray

        class Receiver:
            """Gets tables straight from the store."""

            def receive(self, table: pa.Table, order: str) -> tuple[int, object]:
                frame = pl.from_arrow(table)
                frame.row(-1)
                arrived = now()
                return arrived, fingerprint(frame) if order == "check" else None

        self.way = Ray("ray")
        self.ray = ray
        self.actor = ray.remote(num_cpus=1)(Receiver).remote()

    def pass_on(self, frame: pl.DataFrame, order: str) -> tuple[int, object]:
        started = now()
        table = self.ray.put(frame.to_arrow(compat_level=pl.CompatLevel.newest()))
        arrived, seen = self.ray.get(self.actor.receive.remote(table, order))
        return arrived - started, seen

    def end(self) -> None:
        self.ray.kill(self.actor)


@contextlib.contextmanager
def vineyardd() -> Iterator[None]:
    """A daemon of our own."""
    from vineyard.deploy.local import start_vineyardd

    folder = tempfile.mkdtemp(prefix="qads-bench-")
    socket = os.path.join(folder, "vineyard.sock")
    # Its diary lies there too, and only errors are said aloud.
    os.environ |= {"GLOG_log_dir": folder, "GLOG_minloglevel": "2"}
    try:
        with start_vineyardd(meta="local", rpc=False, size=str(STORE_BYTES), socket=socket):
            os.environ["VINEYARD_IPC_SOCKET"] = socket
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def cluster() -> Iterator[None]:
    """A Ray of our own, on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    folder = tempfile.mkdtemp(prefix="qads-")  # sockets lie in it: their names must be short
    try:
        ray.init(
            address="local",
            num_cpus=2,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=folder,
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def measure(name: str, rounds: int, stores: list[str]) -> dict[str, list[int]]:
    """Nanoseconds by way: each in turn, in every round."""
    frame = case(name).rechunk()
    expected = fingerprint(frame)
    with contextlib.ExitStack() as stack:
        pairs: list[Pair | RayPair] = []
        for number, kind in enumerate([Floor, Ring, Vineyard, Ray]):
            if kind in (Vineyard, Ray) and kind.__name__.lower() not in stores:
                continue
            pair = RayPair() if kind is Ray else Pair(kind, frame, f"{name}{number}")
            stack.callback(pair.end)
            _, seen = pair.pass_on(frame, "check")
            if kind is not Floor and seen != expected:
                if kind not in (Vineyard, Ray):
                    raise SystemExit(f"{kind.name} brought another frame in case {name}: {seen}, not {expected}")
                print(f"{kind.name} brings another frame in case {name}, and is left out: {seen}, not {expected}")
                continue
            pairs.append(pair)
        taken: dict[str, list[int]] = {pair.way.name: [] for pair in pairs}
        for _ in range(rounds):
            for pair in pairs:
                taken[pair.way.name] += turn(pair, frame)
    return taken


def report(name: str, taken: dict[str, list[int]], path: str | None) -> None:
    """Prints a case, and adds it to a file as lines of JSON."""
    floor = statistics.median(taken[FLOOR])
    print(f"| case {name}, {len(taken[FLOOR])} frames | ms | p99 | ÷ floor |\n|---|---|---|---|")
    lines = []
    for way, times in taken.items():
        times.sort()
        median, tail = statistics.median(times), times[min(len(times) - 1, len(times) * 99 // 100)]
        print(f"| {way} | {median / 1e6:.3f} | {tail / 1e6:.3f} | {median / floor:.2f} |")
        figures = {"unit": "ns", "p50": round(median), "p99": tail, "samples": len(times), "floor": round(floor)}
        lines.append({"table": f"daemons-{name}", "row": way, "column": "end to end"} | figures)
    print(flush=True)
    if path:
        with open(path, "a") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cases", nargs="+", default=["A", "B", "C", "D"], choices=["A", "B", "C", "D"])
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--json", metavar="FILE", help="add every figure to this file, as a line of JSON")
    options = arguments.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    with open("/proc/cpuinfo") as cpu:
        model = next((line.split(":")[1].strip() for line in cpu if line.startswith("model name")), platform.machine())
    print(f"{model}, {os.cpu_count()} cores, {datetime.date.today()}, commit {commit.stdout.strip()}; Python "
          f"{platform.python_version()}, Polars {pl.__version__}, pyarrow {pa.__version__}")
    with contextlib.ExitStack() as stack:
        stores = []
        for store, start in {"vineyard": vineyardd, "ray": cluster}.items():
            try:
                stack.enter_context(start())
            except (ImportError, OSError, RuntimeError) as error:
                print(f"{store} is left out: {type(error).__name__}: {error}")
                continue
            stores.append(store)
            print(f"{store} {importlib.metadata.version(store)}, with a daemon of its own")
        print("milliseconds from one process to the other, median (99th percentile), and the median as a multiple of the "
              "floor\n", flush=True)
        for name in options.cases:
            rounds = {"B": options.rounds * 2, "C": max(options.rounds // 3, 3)}.get(name, options.rounds)
            report(name, measure(name, rounds, stores), options.json)


if __name__ == "__main__":
    main()
