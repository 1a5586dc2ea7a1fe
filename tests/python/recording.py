"""A file of a recording of five tables, as pyarrow and Polars read it: whole, torn in the last one, or mended."""

import sys

import polars as pl
import pyarrow as pa


def batches(path):
    """The sequences of the batches that pyarrow reads, and whether it came to an end without an error."""
    got = []
    with pa.memory_map(path) as source:
        try:
            for batch in pa.ipc.open_stream(source):
                batch.validate(full=True)
                got.append(batch.column("sequence")[0].as_py())
        except (pa.ArrowInvalid, OSError):
            return got, False
    return got, True


def rows(path):
    """The sequences of the rows that Polars reads; None if it does not read the file."""
    try:
        frame = pl.read_ipc_stream(path)
    except (pl.exceptions.ComputeError, OSError):
        return None
    return frame["sequence"].unique(maintain_order=True).to_list()


path, state = sys.argv[1:]
expected = {
    "whole": (([0, 1, 2, 3, 4], True), [0, 1, 2, 3, 4]),
    "torn": (([0, 1, 2, 3], False), None),
    "mended": (([0, 1, 2, 3], True), [0, 1, 2, 3]),
}[state]
got = batches(path), rows(path)
assert got == expected, f"{state}: {got}"
