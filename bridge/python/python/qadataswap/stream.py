"""Streams: a data set larger than the ring, as a sequence of frames with an end.

>>> import polars as pl
>>> from qadataswap import SharedDataStream
>>> with SharedDataStream.create_writer("doc", size_mb=1) as writer:      # one process
...     reader = SharedDataStream.create_reader("doc")                    # another one
...     writer.write_chunk(pl.DataFrame({"a": [1, 2]}))
...     writer.write_chunk(pl.DataFrame({"a": [3]}))
>>> for chunk in reader.iter_chunks():
...     print(chunk["a"].to_list())
[1, 2]
[3]

The writer waits for its readers, for as long as it takes, and with none attached keeps its last frames only: attach
the readers before writing more than the ring holds.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Type

from ._qadataswap import Frame, SharedDataFrame

if TYPE_CHECKING:
    import polars

__all__ = ["SharedDataStream"]


class SharedDataStream:
    """The writing or the reading end of a stream."""

    def __init__(self, frames: SharedDataFrame) -> None:
        """A stream over a ring's end; see :meth:`create_writer` and :meth:`create_reader`."""
        self._frames = frames
        # Rows that a frame is not to exceed, since more have been too many; grows again from chunk to chunk.
        self._most_rows = sys.maxsize

    @staticmethod
    def create_writer(
        name: str,
        size_mb: Optional[float] = None,
        buffer_count: Optional[int] = None,
        *,
        write_timeout_ms: Optional[float] = -1,
        **options: Any,
    ) -> SharedDataStream:
        """As :meth:`SharedDataFrame.create_writer`, but a write waits for as long as it takes unless told otherwise."""
        return SharedDataStream(
            SharedDataFrame.create_writer(name, size_mb, buffer_count, write_timeout_ms=write_timeout_ms, **options)
        )

    @staticmethod
    def create_reader(name: str, **options: Any) -> SharedDataStream:
        """As :meth:`SharedDataFrame.create_reader`."""
        return SharedDataStream(SharedDataFrame.create_reader(name, **options))

    def write_chunk(self, chunk: Any) -> None:
        """Writes a chunk: anything that :meth:`SharedDataFrame.write` takes.

        One that is larger than a slot is split by its rows, in their order. Raises
        :class:`~qadataswap.FrameTooLargeError` if a single row does not fit; the rows before are published then.
        """
        if self._most_rows <= sys.maxsize // 2:
            # One chunk of long values is not to make all that follow it short.
            self._most_rows *= 2
        self._most_rows = self._frames._write_split(chunk, self._most_rows)

    def read_chunk(self, timeout_ms: float = -1) -> Optional[polars.DataFrame]:
        """Reads the next chunk; as :meth:`SharedDataFrame.read`."""
        return self._frames.read(timeout_ms)

    def iter_chunks(self) -> Iterator[polars.DataFrame]:
        """Chunks as they come, as Polars DataFrames, waiting for each, until the stream ends."""
        return iter(self._frames)

    def frames(self) -> Iterator[Frame]:
        """Chunks as they come, as frames, for any other library."""
        return self._frames.frames()

    def __iter__(self) -> Iterator[polars.DataFrame]:
        """The same as :meth:`iter_chunks`."""
        return self.iter_chunks()

    def get_stats(self) -> Dict[str, int]:
        """What this handle has done so far."""
        return self._frames.get_stats()

    @property
    def name(self) -> str:
        """The ring's name."""
        return self._frames.name

    def close(self) -> None:
        """Ends the stream, or stops reading it."""
        self._frames.close()

    def __enter__(self) -> SharedDataStream:
        """Closes the stream at the end of the block."""
        return self

    def __exit__(
        self,
        raised: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Closes the stream."""
        self.close()

    def __repr__(self) -> str:
        """What it is, and of which ring."""
        return repr(self._frames).replace("SharedDataFrame", "SharedDataStream", 1)
