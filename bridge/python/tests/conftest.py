"""Rings of their own for every test, and nothing left of them."""

import gc
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import qadataswap

SHM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def ring(doctest_namespace):
    """The name of a ring of this test's own; whatever the test makes of names that start with it is gone after it."""
    name = f"py-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    doctest_namespace["qadataswap"] = qadataswap
    doctest_namespace["create_writer"] = qadataswap.create_writer
    others = set(SHM.glob("qads_*"))
    yield name
    gc.collect()
    # Other programs may use rings meanwhile: only this test's own count, and those of the documentation.
    mine = (f"qads_{name}", "qads_doc")
    for path in set(SHM.glob("qads_*")) - others:
        if path.name.startswith(mine):
            read_out(path.name[len("qads_") :])
    # A thread that waited for a reader's frames lets go of it soon after the reader is closed.
    deadline = time.monotonic() + 10
    while True:
        left = [path for path in set(SHM.glob("qads_*")) - others if path.name.startswith(mine)]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.005)
    for path in left:
        path.unlink()
    assert not left, f"left in {SHM}: {left}"


def read_out(name):
    """Reads what nobody has read: a ring that has ended and been read is removed by the last one to leave it."""
    with qadataswap.create_reader(name, policy="lossy") as reader:
        try:
            while reader.read_frame(5000) is not None:
                pass
        except qadataswap.EndOfStreamError:
            pass


@pytest.fixture
def pair(ring):
    """A writer and a reader of one ring."""
    with qadataswap.create_writer(ring, 8, size_mb=64) as writer:
        with qadataswap.create_reader(ring) as reader:
            yield writer, reader


@pytest.fixture
def python():
    """Runs Python code in processes of their own, which are killed at the end of the test."""
    running = []

    def run(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()
