"""What goes wrong with a ring or a frame: one exception per kind, by the same names in every language.

Every one of them is a :class:`QADataSwapError`, hence a ``RuntimeError``, and also the built-in exception that fits:
``except FileNotFoundError`` catches a ring that does not exist. A message names the ring, says what was expected and
what was got, then the remedy.

>>> import qadataswap
>>> try:
...     qadataswap.create_reader("nobody-wrote-this")
... except FileNotFoundError as error:
...     error.kind
'NotFound'
"""

from __future__ import annotations

from typing import ClassVar, Dict, Type

__all__ = [
    "AbortedError",
    "ArrowError",
    "BusyError",
    "ClosedError",
    "CorruptError",
    "EndOfStreamError",
    "EvictedError",
    "ForkedError",
    "FrameTooLargeError",
    "IncompatibleError",
    "InternalError",
    "InvalidConfigError",
    "InvalidNameError",
    "IoError",
    "LoanOutError",
    "MemoryMapFailedError",
    "MissingFramesError",
    "NoSpaceError",
    "NotFoundError",
    "OutOfRoomError",
    "PermissionDeniedError",
    "QADataSwapError",
    "ReplacedError",
    "RingFullError",
    "TooManyReadersError",
    "UnsupportedError",
    "WriteTimeoutError",
    "WriterDiedError",
    "WriterExistsError",
    "WrongRoleError",
]


class QADataSwapError(RuntimeError):
    """Something went wrong with a ring or a frame."""

    kind: ClassVar[str] = ""
    """The name of the kind of error, the same in every language."""


class InvalidNameError(QADataSwapError, ValueError):
    """A ring's name is not allowed."""

    kind = "InvalidName"


class InvalidConfigError(QADataSwapError, ValueError):
    """The configuration, or an argument, is out of range or contradicts the ring."""

    kind = "InvalidConfig"


class NotFoundError(QADataSwapError, FileNotFoundError):
    """No ring of this name exists."""

    kind = "NotFound"


class PermissionDeniedError(QADataSwapError, PermissionError):
    """The operating system, or the ring's owner, does not let this process in."""

    kind = "PermissionDenied"


class WriterExistsError(QADataSwapError, FileExistsError):
    """The ring already has a living writer."""

    kind = "WriterExists"


class TooManyReadersError(QADataSwapError):
    """Every reader's place is taken."""

    kind = "TooManyReaders"


class IncompatibleError(QADataSwapError):
    """The file is not a region that this version reads."""

    kind = "Incompatible"


class CorruptError(QADataSwapError):
    """Shared bytes contradict the protocol or the format."""

    kind = "Corrupt"


class FrameTooLargeError(QADataSwapError, ValueError):
    """The frame does not fit into a slot."""

    kind = "FrameTooLarge"


class RingFullError(QADataSwapError, BlockingIOError):
    """The ring is full and its writer was asked not to wait."""

    kind = "RingFull"


class WriteTimeoutError(QADataSwapError, TimeoutError):
    """The ring stayed full for as long as the writer would wait."""

    kind = "WriteTimeout"


class EndOfStreamError(QADataSwapError, EOFError):
    """The writer has ended the stream and every frame has been read."""

    kind = "EndOfStream"


class WriterDiedError(QADataSwapError, ConnectionError):
    """The writer died without closing, and every frame it published has been read.

    Go on reading: frames go on when a new writer takes over.
    """

    kind = "WriterDied"


class AbortedError(QADataSwapError, ConnectionError):
    """The writer broke its stream off; what has been read is not all of it."""

    kind = "Aborted"


class ReplacedError(QADataSwapError, ConnectionError):
    """Another region has taken the ring's name; attach again."""

    kind = "Replaced"


class EvictedError(QADataSwapError, ConnectionError):
    """This reader was taken for dead and lost its place; attach again."""

    kind = "Evicted"


class WrongRoleError(QADataSwapError, TypeError):
    """A writer's call on a reader, or the other way round."""

    kind = "WrongRole"


class ClosedError(QADataSwapError, ValueError):
    """The handle was closed."""

    kind = "Closed"


class ForkedError(QADataSwapError):
    """The handle was made by the parent of this forked process."""

    kind = "Forked"


class LoanOutError(QADataSwapError):
    """The writer was to be closed while a loan is out, or every slot is lent."""

    kind = "LoanOut"


class NoSpaceError(QADataSwapError, OSError):
    """The folder of the rings has no room."""

    kind = "NoSpace"


class MemoryMapFailedError(QADataSwapError, OSError):
    """The region could not be mapped."""

    kind = "MemoryMapFailed"


class BusyError(QADataSwapError, TimeoutError):
    """Another process is held up while it attaches or leaves."""

    kind = "Busy"


class IoError(QADataSwapError, OSError):
    """A system call failed."""

    kind = "Io"


class MissingFramesError(IoError):
    """Frames are neither in the recording nor in the ring that is followed; reading goes on behind them."""

    first: int
    """The first of them."""
    last: int
    """The last of them."""


class UnsupportedError(QADataSwapError, NotImplementedError):
    """The frame uses something this build or this call does not offer."""

    kind = "Unsupported"


class OutOfRoomError(QADataSwapError, ValueError):
    """A value did not fit into a loan."""

    kind = "OutOfRoom"


class ArrowError(QADataSwapError, ValueError):
    """Arrow found fault with a table."""

    kind = "ArrowError"


class InternalError(QADataSwapError):
    """A defect of this library; please report it."""

    kind = "Internal"


BY_KIND: Dict[str, Type[QADataSwapError]] = {
    error.kind: error for error in QADataSwapError.__subclasses__()
}
"""The exceptions by their kinds."""
