"""Tables to send, the addresses of their buffers, and a way to wait for facts."""

import datetime
import decimal
import time

import numpy as np
import polars as pl
import pyarrow as pa


def trades(rows=5, first=0):
    """A small table of every day."""
    return pl.DataFrame(
        {
            "id": pl.Series(range(first, first + rows), dtype=pl.Int64),
            "name": pl.Series([f"a name of some length, {i}" if i % 2 else f"n{i}" for i in range(rows)], dtype=pl.String),
            "value": pl.Series([i / 4 for i in range(rows)], dtype=pl.Float64),
        }
    )


def addresses(table):
    """The addresses of all buffers of a pyarrow table."""
    found = []

    def visit(array):
        found.extend(buffer.address for buffer in array.buffers() if buffer is not None and buffer.size > 0)
        if isinstance(array, pa.DictionaryArray):
            visit(array.dictionary)

    for column in table.columns:
        for chunk in column.chunks:
            visit(chunk)
    return found


def eventually(fact, seconds=20):
    """Waits until `fact()` is true."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.005)


def _dictionary(ordered):
    return pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), pa.array(["x", "y"]), ordered=ordered)


def arrays():
    """An array of four rows of every type of Arrow, by name."""
    one = lambda values, type_: pa.array(values, type_)  # noqa: E731
    made = {
        str(type_): one([1, None, 3, 4], type_)
        for type_ in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            *(pa.float32(), pa.float64(), pa.date32(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
            *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
            *(pa.timestamp("us", "UTC"), pa.timestamp("ns", "America/New_York")),
            *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
        )
    }
    words = ["a", None, "a string that is longer than twelve bytes", ""]
    blobs = [word if word is None else word.encode() for word in words]
    number = decimal.Decimal("12.34")
    numbers = [number, None, -number, decimal.Decimal("0.00")]
    lists = [[1, None], None, [], [3, 4, 5]]
    pairs = [[("a", 1)], None, [], [("b", None), ("c", 3)]]
    points = [{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}, {"x": 4, "y": None}]
    ints = pa.array([1, None, 3, 4], pa.int64())
    strings = pa.array(["a", "b", None, "d"], pa.string())
    made |= {
        "bool": one([True, None, False, True], pa.bool_()),
        "float16": pa.array([np.float16(1), None, np.float16(3), np.float16(4)], pa.float16()),
        "date64": one([datetime.date(2024, 1, 2), None, datetime.date(1969, 1, 1), datetime.date(2000, 1, 1)], pa.date64()),
        "utf8": one(words, pa.string()),
        "large_utf8": one(words, pa.large_string()),
        "utf8_view": one(words, pa.string_view()),
        "binary": one(blobs, pa.binary()),
        "large_binary": one(blobs, pa.large_binary()),
        "binary_view": one(blobs, pa.binary_view()),
        "fixed_size_binary": one([b"abc", None, b"def", b"ghi"], pa.binary(3)),
        "decimal32": one(numbers, pa.decimal32(5, 2)),
        "decimal64": one(numbers, pa.decimal64(9, 2)),
        "decimal128": one(numbers, pa.decimal128(20, 2)),
        "decimal256": one(numbers, pa.decimal256(50, 2)),
        "month_day_nano": one([pa.MonthDayNano([1, 2, 3]), None, pa.MonthDayNano([0, 0, 0]), pa.MonthDayNano([-1, 0, 9])], pa.month_day_nano_interval()),
        "null": pa.nulls(4),
        "list": one(lists, pa.list_(pa.int32())),
        "large_list": one(lists, pa.large_list(pa.int32())),
        "list_view": one(lists, pa.list_view(pa.int32())),
        "large_list_view": one(lists, pa.large_list_view(pa.int32())),
        "fixed_size_list": one([[1, 2], None, [3, None], [5, 6]], pa.list_(pa.int32(), 2)),
        "list of strings": one([["a", None], None, [], words], pa.list_(pa.string_view())),
        "struct": one(points, pa.struct([("x", pa.int32()), ("y", pa.string())])),
        "map": one(pairs, pa.map_(pa.string(), pa.int32())),
        "sorted map": one(pairs, pa.map_(pa.string(), pa.int32(), keys_sorted=True)),
        "dictionary": _dictionary(False),
        "ordered dictionary": _dictionary(True),
        "dense_union": pa.UnionArray.from_dense(
            pa.array([0, 1, 0, 1], pa.int8()), pa.array([0, 0, 1, 1], pa.int32()), [ints[:2], strings[:2]]
        ),
        "sparse_union": pa.UnionArray.from_sparse(pa.array([0, 1, 0, 1], pa.int8()), [ints, strings]),
        "run_end_encoded": pa.RunEndEncodedArray.from_arrays(pa.array([1, 4], pa.int32()), pa.array(["x", "y"])),
        "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0, 1], pa.int8())),
        "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None, b"1" * 16, b"2" * 16], pa.binary(16))),
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None, "[]", "1"], pa.string())),
    }
    return made


def gallery():
    """A Polars DataFrame of every type that Polars has."""
    number = decimal.Decimal("12.34")
    day = datetime.date(2024, 2, 29)
    now = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
    columns = {
        **{
            str(dtype): pl.Series([1, None, 3], dtype=dtype)
            for dtype in (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float32, pl.Float64)
        },
        "bool": pl.Series([True, None, False]),
        "string": pl.Series(["a", None, "a string that is longer than twelve bytes"]),
        "binary": pl.Series([b"a", None, b"bytes of more than twelve, too"]),
        "date": pl.Series([day, None, day]),
        "time": pl.Series([datetime.time(1, 2, 3, 4), None, datetime.time(0)]),
        **{f"datetime {unit}": pl.Series([now, None, now], dtype=pl.Datetime(unit)) for unit in ("ms", "us", "ns")},
        "zoned": pl.Series([now, None, now]).dt.replace_time_zone("Europe/Berlin"),
        **{f"duration {unit}": pl.Series([1, None, 3]).cast(pl.Duration(unit)) for unit in ("ms", "us", "ns")},
        "decimal": pl.Series([number, None, -number], dtype=pl.Decimal(20, 2)),
        "categorical": pl.Series(["x", None, "y"], dtype=pl.Categorical),
        "enum": pl.Series(["x", None, "y"], dtype=pl.Enum(["y", "x", "z"])),
        "list": pl.Series([[1, None], None, []], dtype=pl.List(pl.Int64)),
        "list of strings": pl.Series([["a", None], None, []], dtype=pl.List(pl.String)),
        "array": pl.Series([[1, 2], None, [3, None]], dtype=pl.Array(pl.Int64, 2)),
        "struct": pl.Series([{"x": 1, "y": "a"}, {"x": None, "y": "b"}, {"x": 3, "y": None}]),
        "null": pl.Series([None, None, None], dtype=pl.Null),
        "all null": pl.Series([None, None, None], dtype=pl.Int64),
    }
    return pl.DataFrame(columns)
