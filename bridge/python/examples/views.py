"""Follows live views until their streams end, then tells how each ended as one line of JSON: the Python viewer of
`make demo`.

    python views.py FOLDER VIEW...

A view `V` is two rings. Each frame of `V.changes` is a table of the rows that have come, with weight 1, and of those that
have gone, with weight -1; a row that changes does both. Now and then a frame of `V` is the whole view, and says in its
schema's metadata which change is the last that it includes. So one begins with the newest whole view, and adds every
change after it: a view is the sum of its changes.
"""

import json
import os
import platform
import sys

import polars as pl
import qadataswap

PATIENCE_MS = 30_000


class View:
    """The rows of a view, kept up to date."""

    def __init__(self, name: str, folder: str) -> None:
        reading = {"attach_timeout_ms": PATIENCE_MS, "directory": folder}
        whole = qadataswap.create_reader(name, policy="latest", **reading)
        self.changes = qadataswap.create_reader(f"{name}.changes", **reading)
        table = whole.read_arrow(PATIENCE_MS)
        if table is None:
            raise TimeoutError(f"ring '{name}': no view came")
        until = (table.schema.metadata or {}).get(b"qadataswap.changes_until")
        self.next = self.began = int(until) + 1 if until else 0
        self.rows = pl.DataFrame(table)

    def catch_up(self) -> bool:
        """Adds all changes that are there, in one go; false after the last."""
        tables, goes_on = [self.rows], True
        try:
            while (frame := self.changes.try_read_frame()) is not None:
                if frame.sequence >= self.next:  # the whole view includes those before
                    tables.append(frame.to_polars())
                    self.next = frame.sequence + 1
        except qadataswap.EndOfStreamError:
            goes_on = False
        if len(tables) > 1:
            weights = pl.concat(tables).group_by(pl.exclude("weight")).agg(pl.col("weight").sum())
            self.rows = weights.filter(pl.col("weight") != 0)
        return goes_on

    def numbers(self) -> pl.DataFrame:
        """The rows with each time as its nanoseconds, which is what JSON can have of it."""
        return self.rows.with_columns(pl.selectors.datetime().to_physical())


def main(folder: str, *names: str) -> None:
    views = {name: View(name, folder) for name in names}
    selector = qadataswap.Selector(view.changes for view in views.values())
    while len(selector) > 0:
        ready = selector.wait(PATIENCE_MS)
        if not ready:
            raise TimeoutError("no change came")
        for view in views.values():
            if view.changes in ready and not view.catch_up():
                selector.remove(view.changes)
    told = {
        "about": f"Python {platform.python_version()}, Polars {pl.__version__}",
        "pid": os.getpid(),
        "views": {
            name: {"began": view.began, "changes": view.next - view.began, "rows": view.numbers().rows()}
            for name, view in views.items()
        },
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
