"""Reading with asyncio: waits do not block the event loop, and may be cancelled.

.. code-block:: python

    df = await reader.read_async()

    async for df in reader: ...                           # Polars DataFrames
    async for frame in qadataswap.aio.frames(reader): ... # frames, for any other library

A frame is taken from the ring by the event loop's own thread, when it is about to be handed out: cancelling an
``await`` loses none. While somebody waits, one thread per reader waits with them; it goes away soon after.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, List, MutableMapping, Optional, Tuple, TypeVar

from ._qadataswap import Frame, SharedDataFrame
from .errors import EndOfStreamError

if TYPE_CHECKING:
    import polars

__all__ = ["frames", "read", "read_frame", "tables"]

_T = TypeVar("_T")

_THREAD_NAME = "qadataswap-aio"

# A waiting thread looks around this often (seconds), and stays for so many looks without anything to do.
_SLICE = 0.1
_IDLE_SLICES = 5
# Frames that are there are read without a pause for at most this long (seconds); then other tasks get their turn.
_TURN = 0.005


class _Watch:
    """Waits for a reader's next frame, for those who await one."""

    def __init__(self, reader: SharedDataFrame) -> None:
        self._reader = weakref.ref(reader)
        self._changed = threading.Condition()
        self._waiting: List[Tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._thread: Optional[threading.Thread] = None
        self._began = 0.0

    async def turn(self) -> None:
        """Gives other tasks their turn, if frames that are there have been read for some time."""
        now = time.monotonic()
        if now - self._began > _TURN:
            self._began = now
            await asyncio.sleep(0)

    def add(self) -> asyncio.Future[None]:
        """A future that is done once the reader has something to read, or has been asked for nothing to wait for."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._changed:
            if self._thread is None:
                # Where no thread can be had, the next one who waits tries again.
                thread = threading.Thread(target=self._run, name=_THREAD_NAME)
                thread.start()
                self._thread = thread
            else:
                self._changed.notify()
            self._waiting.append((loop, future))
        return future

    def _run(self) -> None:
        idle = 0
        waiter: Any = None
        while True:
            with self._changed:
                # What was given up, or whose loop has ended, is waited for by nobody.
                self._waiting = [(loop, future) for loop, future in self._waiting if not _over(loop, future)]
                if not self._waiting:
                    waiter = None
                    if idle >= _IDLE_SLICES or _program_is_over() or self._reader() is None:
                        self._thread = None
                        return
                    if not self._changed.wait(_SLICE):
                        idle += 1
                    continue
                idle = 0
                if _program_is_over():
                    # Whoever waits still is of a loop that nobody will run again, nor has closed.
                    self._thread = None
                    return
            if waiter is None:
                waiter = self._waiter()
            if waiter is None or waiter.wait(_SLICE * 1e3):
                waiter = None
                self._wake()

    def _waiter(self) -> Any:
        """A waiter for the next frame; none where reading will say what is wrong."""
        reader = self._reader()
        try:
            return None if reader is None else reader._waiter()
        except RuntimeError:
            return None

    def _wake(self) -> None:
        with self._changed:
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(_finish, future)
            except RuntimeError:
                # The loop has been closed, and its futures with it.
                pass


def _program_is_over() -> bool:
    """Whether no thread is left but those that a program does not wait for, and those of this module."""
    if threading.main_thread().is_alive():
        return False
    return all(thread.daemon or thread.name == _THREAD_NAME for thread in threading.enumerate() if thread.is_alive())


def _over(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> bool:
    return future.done() or loop.is_closed()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_watches: MutableMapping[SharedDataFrame, _Watch] = weakref.WeakKeyDictionary()
_watches_lock = threading.Lock()


def _forget() -> None:
    """In a forked child, where no thread waits, and locks may be held by threads that are not there."""
    global _watches, _watches_lock
    _watches, _watches_lock = weakref.WeakKeyDictionary(), threading.Lock()


os.register_at_fork(after_in_child=_forget)


def _watch(reader: SharedDataFrame) -> _Watch:
    with _watches_lock:
        watch = _watches.get(reader)
        if watch is None:
            watch = _watches[reader] = _Watch(reader)
        return watch


async def _next(
    reader: SharedDataFrame, timeout_ms: Optional[float], take: Callable[[], Optional[_T]], settle: Callable[[], Optional[_T]]
) -> Optional[_T]:
    deadline = None
    if timeout_ms is not None:
        if math.isnan(timeout_ms):
            raise ValueError("a timeout in milliseconds is NaN")
        if timeout_ms >= 0:
            deadline = time.monotonic() + timeout_ms / 1e3
    watch = _watch(reader)
    await watch.turn()
    found = take()
    if found is not None:
        return found
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return settle()
        woken = watch.add()
        try:
            await asyncio.wait([woken], timeout=left)
        finally:
            # Given up, also by being cancelled, it is waited for no longer.
            done = woken.done()
            woken.cancel()
        # What is ready and is no frame is an end, of which only a read that looks tells.
        found = settle() if done else take()
        if found is not None:
            return found
        if done:
            await asyncio.sleep(0)


async def read(reader: SharedDataFrame, timeout_ms: Optional[float] = -1) -> Optional[polars.DataFrame]:
    """Reads the next table as a Polars DataFrame; ``None`` if there is none within ``timeout_ms`` milliseconds.

    The same as ``reader.read_async()``.
    """
    return await _next(reader, timeout_ms, reader.try_read, lambda: reader.read(0))


async def read_frame(reader: SharedDataFrame, timeout_ms: Optional[float] = -1) -> Optional[Frame]:
    """Reads the next table as a frame; as :func:`read`."""
    return await _next(reader, timeout_ms, reader.try_read_frame, lambda: reader.read_frame(0))


async def _all(next_one: Callable[[], Any]) -> AsyncIterator[Any]:
    while True:
        try:
            item = await next_one()
        except EndOfStreamError:
            return
        yield item


def tables(reader: SharedDataFrame) -> AsyncIterator[polars.DataFrame]:
    """Tables as Polars DataFrames as they come, until the stream ends; the same as ``async for df in reader``."""
    return _all(lambda: read(reader))


def frames(reader: SharedDataFrame) -> AsyncIterator[Frame]:
    """Frames as they come, until the stream ends."""
    return _all(lambda: read_frame(reader))
