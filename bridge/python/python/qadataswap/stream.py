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

Whoever has seen the end of a stream has seen all of it. Only closing ends one, which the end of a ``with`` block does; an
exception in the block breaks it off, and so does whatever else happens to the writer: readers get
:class:`~qadataswap.AbortedError`. The writer waits for its readers, the first of which may come late.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, NamedTuple, Optional, Type

from ._qadataswap import Frame, SharedDataFrame

if TYPE_CHECKING:
    import polars

__all__ = ["Progress", "SharedDataStream"]


class Progress(NamedTuple):
    """How far a stream has come."""

    rows: int
    """Rows written or read through this handle."""
    rows_written: int
    """Rows that the writer has published so far."""
    total_rows: Optional[int]
    """Rows that the stream will have, if its writer knows."""
    is_over: bool
    """Whether nothing more will be written."""


class SharedDataStream:
    """The writing or the reading end of a stream."""

    def __init__(self, frames: SharedDataFrame) -> None:
        """A stream over a ring's end; see :meth:`create_writer` and :meth:`create_reader`."""
        self._frames = frames
        # Rows that a frame is not to exceed, since more have been too many; grows again from chunk to chunk.
        self._most_rows = sys.maxsize

    @staticmethod
    def create_writer(
        name: Optional[str] = None,
        size_mb: Optional[float] = None,
        buffer_count: Optional[int] = None,
        *,
        total_rows: Optional[int] = None,
        **options: Any,
    ) -> SharedDataStream:
        """As :meth:`SharedDataFrame.create_writer`, but a write waits for its readers for as long as it takes, unless a
        timeout is given or configured.

        ``total_rows`` announces how many rows there will be; closing after another number of them breaks the stream off.
        """
        return SharedDataStream(
            SharedDataFrame.create_writer(name, size_mb, buffer_count, _stream=(total_rows,), **options)
        )

    @staticmethod
    def create_reader(name: Optional[str] = None, **options: Any) -> SharedDataStream:
        """As :meth:`SharedDataFrame.create_reader`, at the stream's beginning.

        Raises :class:`~qadataswap.InvalidConfigError` if that has been read and is gone.
        """
        frames = SharedDataFrame.create_reader(name, **options)
        try:
            frames._expect_stream()
        except BaseException:
            frames.close()
            raise
        return SharedDataStream(frames)

    def write_chunk(self, chunk: Any) -> None:
        """Writes a chunk: anything that :meth:`SharedDataFrame.write` takes.

        One that is larger than a slot is split by its rows, in their order. Raises
        :class:`~qadataswap.FrameTooLargeError` if a single row does not fit; the rows before are published then.
        """
        if self._most_rows <= sys.maxsize // 2:
            # One chunk of long values is not to make all that follow it short.
            self._most_rows *= 2
        self._most_rows = self._frames._write_split(chunk, self._most_rows)

    def write_all(self, chunks: Iterable[Any]) -> int:
        """Writes chunks as they are produced, a pyarrow ``RecordBatchReader``'s for one; returns how many there were.

        >>> import pyarrow as pa
        >>> source = pa.RecordBatchReader.from_batches(
        ...     pa.schema([("a", pa.int64())]), (pa.record_batch({"a": [each]}) for each in range(3))
        ... )
        >>> with SharedDataStream.create_writer("doc", size_mb=1) as writer:
        ...     reader = SharedDataStream.create_reader("doc")
        ...     writer.write_all(source)
        3
        >>> [chunk["a"].item() for chunk in reader]
        [0, 1, 2]
        """
        written = 0
        for chunk in chunks:
            self.write_chunk(chunk)
            written += 1
        return written

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

    def progress(self) -> Progress:
        """How far the stream has come; for the writer and every reader, in any process."""
        return Progress(*self._frames._progress())

    def abort(self, reason: str) -> None:
        """Breaks the stream off: readers read what is there and then get :class:`~qadataswap.AbortedError` with
        ``reason``, of which at most 160 bytes are kept. What has been closed stays as it is."""
        self._frames._abort(reason)

    def close(self) -> None:
        """Ends the stream, or stops reading it."""
        self._frames.close()

    def __enter__(self) -> SharedDataStream:
        """Closes the stream at the end of the block, or breaks it off if the block raises."""
        return self

    def __exit__(
        self,
        raised: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Closes the stream, or breaks it off."""
        if raised is not None and self._frames.is_writer and not self._frames.closed:
            self.abort(f"{raised.__name__}: {error}")
        else:
            self.close()

    def __repr__(self) -> str:
        """What it is, and of which ring."""
        return repr(self._frames).replace("SharedDataFrame", "SharedDataStream", 1)
