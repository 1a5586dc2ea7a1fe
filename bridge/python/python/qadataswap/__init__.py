"""QADataSwap: a dataframe bus. One process writes tables into a named ring in shared memory; any number of others read
every table, with the columns lying in shared memory.

>>> import polars as pl
>>> import qadataswap
>>> writer = qadataswap.create_writer("doc", size_mb=1)
>>> writer.write(pl.DataFrame({"symbol": ["ES", "NQ"], "price": [5000.25, 17500.5]}))
0
>>> reader = qadataswap.create_reader("doc")            # in any other process
>>> reader.read()["price"].to_list()
[5000.25, 17500.5]
>>> writer.close(); reader.close()

A frame, and every table made of it, holds its place in the ring: drop what is done with, copy what is kept.
"""

from __future__ import annotations

import importlib.util as _importlib_util
import logging as _logging
import os as _os
from typing import Any as _Any
from typing import Optional as _Optional

from ._qadataswap import (
    Follow,
    Frame,
    Loan,
    Recorded,
    Recorder,
    Recording,
    Schema,
    Selector,
    SharedDataFrame,
    get_version,
    load_config,
)
from .errors import (
    AbortedError,
    ArrowError,
    BusyError,
    ClosedError,
    CorruptError,
    EndOfStreamError,
    EvictedError,
    ForkedError,
    FrameTooLargeError,
    IncompatibleError,
    InternalError,
    InvalidConfigError,
    InvalidNameError,
    IoError,
    LoanOutError,
    MemoryMapFailedError,
    MissingFramesError,
    NoSpaceError,
    NotFoundError,
    OutOfRoomError,
    PermissionDeniedError,
    QADataSwapError,
    ReplacedError,
    RingFullError,
    TooManyReadersError,
    UnsupportedError,
    WriteTimeoutError,
    WriterDiedError,
    WriterExistsError,
    WrongRoleError,
)
from .stream import Progress, SharedDataStream

__version__ = get_version()
__all__ = [
    "AbortedError",
    "ArrowError",
    "BusyError",
    "ClosedError",
    "CorruptError",
    "EndOfStreamError",
    "EvictedError",
    "Follow",
    "ForkedError",
    "Frame",
    "FrameTooLargeError",
    "IncompatibleError",
    "InternalError",
    "InvalidConfigError",
    "InvalidNameError",
    "IoError",
    "Loan",
    "LoanOutError",
    "MemoryMapFailedError",
    "MissingFramesError",
    "NoSpaceError",
    "NotFoundError",
    "OutOfRoomError",
    "PermissionDeniedError",
    "Progress",
    "QADataSwapError",
    "Recorded",
    "Recorder",
    "Recording",
    "ReplacedError",
    "RingFullError",
    "Schema",
    "Selector",
    "SharedDataFrame",
    "SharedDataStream",
    "TooManyReadersError",
    "UnsupportedError",
    "WriteTimeoutError",
    "WriterDiedError",
    "WriterExistsError",
    "WrongRoleError",
    "create_reader",
    "create_writer",
    "get_version",
    "has_arrow_support",
    "load_config",
]


def create_writer(
    name: _Optional[str] = None,
    buffer_count: _Optional[int] = None,
    *,
    size_mb: _Optional[float] = None,
    **options: _Any,
) -> SharedDataFrame:
    """Creates a ring, or takes over one whose writer is gone: 3 buffers, of 100 MiB together, unless given or configured.

    As :meth:`SharedDataFrame.create_writer`, whose other keywords it takes as well.

    >>> with create_writer("doc", 10, size_mb=1) as writer:
    ...     writer
    <qadataswap.SharedDataFrame writer of 'doc': 0 frames, 0 bytes written>
    """
    return SharedDataFrame.create_writer(name, size_mb, buffer_count, **options)


def create_reader(name: _Optional[str] = None, **options: _Any) -> SharedDataFrame:
    """Attaches to a ring; as :meth:`SharedDataFrame.create_reader`, whose keywords it takes."""
    return SharedDataFrame.create_reader(name, **options)


def has_arrow_support() -> bool:
    """Whether pyarrow is installed, which ``read_arrow`` and ``to_pandas`` need. Writing anything, and reading with
    Polars, do not.

    >>> has_arrow_support()
    True
    """
    return _importlib_util.find_spec("pyarrow") is not None


def _log_as_asked() -> None:
    """Logs to stderr if the environment asks for it, else leaves it to the program."""
    logger = _logging.getLogger("qadataswap")
    logger.addHandler(_logging.NullHandler())
    asked = _os.environ.get("QADATASWAP_LOG_LEVEL", "").upper()
    if not asked and _os.environ.get("QADATASWAP_DEBUG") == "1":
        asked = "DEBUG"
    level = {"TRACE": "DEBUG", "WARN": "WARNING"}.get(asked, asked)
    if level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        handler = _logging.StreamHandler()
        handler.setFormatter(_logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
    elif asked:
        logger.warning("QADATASWAP_LOG_LEVEL: expected TRACE, DEBUG, INFO, WARN or ERROR, got '%s'", asked)


_log_as_asked()
