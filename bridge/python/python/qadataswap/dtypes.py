"""Types of columns by the names that Python, NumPy and Polars have for them: what a schema can be made of."""

from __future__ import annotations

import datetime
from typing import Any, List, Mapping, Tuple

# To the type's format in the Arrow C data interface.
_PYTHON = {
    bool: "b",
    int: "l",
    float: "g",
    str: "vu",
    bytes: "vz",
    datetime.date: "tdD",
    datetime.datetime: "tsu:",
    datetime.timedelta: "tDu",
    datetime.time: "ttn",
}
_NAMES = {
    "bool": "b",
    "int8": "c",
    "uint8": "C",
    "int16": "s",
    "uint16": "S",
    "int32": "i",
    "uint32": "I",
    "int64": "l",
    "uint64": "L",
    "float16": "e",
    "float32": "f",
    "float64": "g",
    "str": "vu",
    "string": "vu",
    "bytes": "vz",
    "binary": "vz",
    "date": "tdD",
    "date32": "tdD",
    "datetime64[s]": "tss:",
    "datetime64[ms]": "tsm:",
    "datetime64[us]": "tsu:",
    "datetime64[ns]": "tsn:",
    "timedelta64[s]": "tDs",
    "timedelta64[ms]": "tDm",
    "timedelta64[us]": "tDu",
    "timedelta64[ns]": "tDn",
}


def describe(schema: Mapping[str, Any]) -> List[Tuple[str, Any]]:
    """The columns of a mapping, each with its type's format, a capsule of its type, or (in a tuple) one of a
    schema of it alone.

    >>> describe({"symbol": str, "size": "int32"})
    [('symbol', 'vu'), ('size', 'i')]
    """
    if not isinstance(schema, Mapping):
        raise TypeError(
            "expected a schema: an object with __arrow_c_schema__ (of Polars, pyarrow, ...) "
            f"or a mapping from names to types, got {type(schema).__name__}"
        )
    for name in schema:
        if not isinstance(name, str):
            raise TypeError(f"expected the name of a column, got {name!r}")
    return [(name, _describe(name, dtype)) for name, dtype in schema.items()]


def _is_polars(dtype: Any) -> bool:
    module = getattr(dtype if isinstance(dtype, type) else type(dtype), "__module__", "")
    return str(module).partition(".")[0] == "polars"


def _numpy_name(word: str) -> str:
    """The full name of what NumPy knows by a shorter one (``f8``, ``<i4``, ``float``), if there is NumPy and it does."""
    try:
        import numpy

        return str(numpy.dtype(word).name)
    except (ImportError, TypeError, ValueError):
        return ""


def _describe(name: str, dtype: Any) -> Any:
    if hasattr(dtype, "__arrow_c_schema__"):
        return dtype.__arrow_c_schema__()
    if _is_polars(dtype):
        import polars

        # Polars says its types best by itself, as a schema of one column.
        return (polars.Schema({name: dtype}).__arrow_c_schema__(),)
    try:
        known = _PYTHON.get(dtype)
    except TypeError:
        known = None
    if known is None:
        # What NumPy's types call themselves, be they classes, scalars' types or dtypes.
        for word in (dtype, getattr(dtype, "name", None), getattr(dtype, "__name__", None)):
            if isinstance(word, str) and word in _NAMES:
                known = _NAMES[word]
                break
    if known is None and isinstance(dtype, str):
        known = _NAMES.get(_numpy_name(dtype))
    if known is None:
        raise TypeError(
            f"column '{name}': {dtype!r} is not a type of a column; expected a type of Python, NumPy, Polars or pyarrow, "
            f"or one of {sorted(_NAMES)}"
        )
    return known
