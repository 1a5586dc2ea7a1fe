"""Reading with asyncio: waits do not block the event loop, and may be cancelled.

.. code-block:: python

    df = await reader.read_async()

    async for df in reader: ...                           # Polars DataFrames
    async for frame in qadataswap.aio.frames(reader): ... # frames, for any other library

A frame is taken from the ring by the event loop's own thread, when it is about to be handed out: cancelling an
``await`` loses none. While somebody waits, one thread waits for all readers; it goes away soon after.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, List, Optional, Tuple, TypeVar, Union

from ._qadataswap import Follow, Frame, Selector, SharedDataFrame
from .errors import EndOfStreamError

if TYPE_CHECKING:
    import polars

__all__ = ["frames", "read", "read_frame", "tables"]

_T = TypeVar("_T")
_Source = Union[SharedDataFrame, Follow]

_THREAD_NAME = "qadataswap-aio"

# The waiting thread looks around this often (seconds), and stays for so many looks without anything to do.
_SLICE = 0.1
_IDLE_SLICES = 5
# Frames that are there are read without a pause for at most this long (seconds); then other tasks get their turn.
_TURN = 0.005


_Waiting = Tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class _Watch:
    """Waits for the next frames of readers, for those who await them.

    A reader is the selector's while somebody awaits it, and is taken out when it is ready: whoever finds nothing to read
    after all adds it again.
    """

    def __init__(self) -> None:
        self._selector = Selector(wait="sleep")
        self._changing = threading.Lock()
        self._waiting: Dict[SharedDataFrame, List[_Waiting]] = {}
        self._thread: Optional[threading.Thread] = None
        # By the thread of a loop: since when it has read without a pause.
        self._turns = threading.local()

    async def turn(self) -> None:
        """Gives other tasks of this loop their turn, if frames that are there have been read for some time."""
        now = time.monotonic()
        if now - getattr(self._turns, "began", 0.0) > _TURN:
            self._turns.began = now
            await asyncio.sleep(0)

    def add(self, reader: SharedDataFrame) -> asyncio.Future[None]:
        """A future that is done once the reader has something to read, or reading will say what is wrong."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._changing:
            if self._thread is None:
                # Where no thread can be had, the next one who waits tries again.
                thread = threading.Thread(target=self._run, name=_THREAD_NAME)
                thread.start()
                self._thread = thread
            waiting = self._waiting.get(reader)
            if waiting is None:
                try:
                    self._selector.add(reader)
                except RuntimeError:
                    future.set_result(None)
                    return future
                waiting = self._waiting[reader] = []
            waiting.append((loop, future))
        return future

    def discard(self, reader: SharedDataFrame, future: asyncio.Future[None]) -> None:
        """Waits no more for what was given up."""
        future.cancel()
        with self._changing:
            self._drop_those_over(reader)

    def _drop_those_over(self, reader: SharedDataFrame) -> None:
        waiting = self._waiting.get(reader)
        if waiting is None:
            return
        # Of a loop that was closed, too, nobody awaits anything.
        waiting[:] = [(loop, future) for loop, future in waiting if not (future.done() or loop.is_closed())]
        if not waiting:
            del self._waiting[reader]
            self._selector.remove(reader)

    def _run(self) -> None:
        idle = 0
        while True:
            # A call of its own, so that no reader is kept alive by what one turn has left.
            idle = 0 if self._turn() else idle + 1
            with self._changing:
                # Whoever still waits when the program is over is of a loop that nobody will run again, nor has closed.
                if _program_is_over() or (not self._waiting and idle > _IDLE_SLICES):
                    self._thread = None
                    return

    def _turn(self) -> bool:
        """Waits once and wakes those who may go on; whether there is anybody to wait for."""
        ready = self._selector.wait(_SLICE * 1e3)
        woken: List[_Waiting] = []
        with self._changing:
            for reader in ready:
                self._selector.remove(reader)
                woken += self._waiting.pop(reader, [])
            if not ready:
                for reader in list(self._waiting):
                    self._drop_those_over(reader)
            is_busy = bool(ready or self._waiting)
        for loop, future in woken:
            try:
                loop.call_soon_threadsafe(_finish, future)
            except RuntimeError:
                # The loop has been closed, and its futures with it.
                pass
        return is_busy


def _program_is_over() -> bool:
    """Whether no thread is left but those that a program does not wait for, and those of this module."""
    if threading.main_thread().is_alive():
        return False
    return all(thread.daemon or thread.name == _THREAD_NAME for thread in threading.enumerate() if thread.is_alive())


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_watch = _Watch()


def _forget_the_parents() -> None:
    """A forked child has neither the thread nor, for sure, the lock."""
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_forget_the_parents)


async def _next(
    reader: SharedDataFrame, timeout_ms: Optional[float], take: Callable[[], Optional[_T]], settle: Callable[[], Optional[_T]]
) -> Optional[_T]:
    deadline = None
    if timeout_ms is not None:
        if math.isnan(timeout_ms):
            raise ValueError("a timeout in milliseconds is NaN")
        if timeout_ms >= 0:
            deadline = time.monotonic() + timeout_ms / 1e3
    watch = _watch
    await watch.turn()
    found = take()
    if found is not None:
        return found
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return settle()
        woken = watch.add(reader)
        try:
            await asyncio.wait([woken], timeout=left)
        finally:
            done = woken.done()
            if not done:
                watch.discard(reader, woken)
        # What is ready and is no frame is an end, of which only a read that looks tells.
        found = settle() if done else take()
        if found is not None:
            return found
        if done:
            await asyncio.sleep(0)


async def _next_of(follow: Follow, timeout_ms: Optional[float], tables: bool) -> Any:
    """The next of what is read from files, too, and so by a thread of the loop's executor, which reads ahead by one: what
    it has read is taken by the loop's own thread, or by whoever reads next.
    """
    loop = asyncio.get_running_loop()
    deadline = None
    if timeout_ms is not None and timeout_ms >= 0:
        deadline = time.monotonic() + timeout_ms / 1e3
    while True:
        left = _SLICE if deadline is None else min(_SLICE, max(0.0, deadline - time.monotonic()))
        if await loop.run_in_executor(None, follow._fetch, left * 1e3):
            found = follow._take(tables)
            if found is not None:
                return found
        if left <= 0:
            return None


async def read(reader: _Source, timeout_ms: Optional[float] = -1) -> Optional[polars.DataFrame]:
    """Reads the next table as a Polars DataFrame; ``None`` if there is none within ``timeout_ms`` milliseconds.

    The same as ``reader.read_async()``. A :class:`~qadataswap.Follow` keeps a thread of the loop's executor meanwhile.
    """
    if isinstance(reader, Follow):
        table: Optional[polars.DataFrame] = await _next_of(reader, timeout_ms, True)
        return table
    return await _next(reader, timeout_ms, reader.try_read, lambda: reader.read(0))


async def read_frame(reader: _Source, timeout_ms: Optional[float] = -1) -> Optional[Frame]:
    """Reads the next table as a frame; as :func:`read`."""
    if isinstance(reader, Follow):
        frame: Optional[Frame] = await _next_of(reader, timeout_ms, False)
        return frame
    return await _next(reader, timeout_ms, reader.try_read_frame, lambda: reader.read_frame(0))


async def _all(next_one: Callable[[], Any]) -> AsyncIterator[Any]:
    while True:
        try:
            item = await next_one()
        except EndOfStreamError:
            return
        yield item


def tables(reader: _Source) -> AsyncIterator[polars.DataFrame]:
    """Tables as Polars DataFrames as they come, until the stream ends; the same as ``async for df in reader``."""
    return _all(lambda: read(reader))


def frames(reader: _Source) -> AsyncIterator[Frame]:
    """Frames as they come, until the stream ends."""
    return _all(lambda: read_frame(reader))
