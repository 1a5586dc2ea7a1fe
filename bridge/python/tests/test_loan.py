"""Loans: frames that NumPy fills where they will be read."""

import datetime
import gc
import threading

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import qadataswap

SCHEMA = {"symbol": str, "price": float, "size": "int32"}


def fill(loan, rows):
    loan["price"][:rows] = np.arange(rows) / 4
    loan["size"][:rows] = np.arange(rows)
    loan.set_texts("symbol", [f"a symbol of some length {row}" if row % 2 else f"S{row}" for row in range(rows)])


def expected(rows):
    return pl.DataFrame(
        {
            "symbol": [f"a symbol of some length {row}" if row % 2 else f"S{row}" for row in range(rows)],
            "price": [row / 4 for row in range(rows)],
            "size": pl.Series(range(rows), dtype=pl.Int32),
        }
    )


@pytest.mark.parametrize("used", [10, 9, 1, 0])
def test_what_was_filled_is_what_is_read(pair, used):
    writer, reader = pair
    loan = writer.loan(SCHEMA, 10, var_bytes=1000)
    fill(loan, used)
    assert loan.commit(used) == 0
    assert reader.read(0).equals(expected(used))


def test_columns_lie_in_the_slot_that_is_read(pair):
    writer, reader = pair
    loan = writer.loan({"price": float}, 100)
    column = loan["price"]
    column[:] = 1.5
    written = column.__array_interface__["data"][0]
    loan.commit()
    frame = reader.read_frame(0)
    read = frame.to_polars()["price"].to_numpy().__array_interface__["data"][0]
    # Writer and reader map the region apart from each other: offsets within pages agree.
    assert read in range(frame.address, frame.address + frame.nbytes)
    assert read % 4096 == written % 4096
    assert reader.get_stats()["bytes_copied"] == 0


def test_block_that_does_not_commit_publishes_nothing(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1) as writer, qadataswap.create_reader(ring) as reader:
        for _ in range(5):
            with writer.loan(SCHEMA, 10) as loan:
                loan["price"][:] = 1
        with pytest.raises(ZeroDivisionError):
            with writer.loan(SCHEMA, 10) as loan:
                1 / 0
        assert reader.read_frame(0) is None


def test_loan_that_is_forgotten_gives_its_slot_back(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1) as writer, qadataswap.create_reader(ring) as reader:
        loan = writer.loan(SCHEMA, 10)
        with pytest.raises(qadataswap.LoanOutError):
            writer.close()
        with pytest.raises(qadataswap.LoanOutError):
            writer.write(pl.DataFrame({"a": [1]}))
        del loan
        gc.collect()
        writer.write(pl.DataFrame({"a": [1]}))
        assert reader.read(0)["a"].to_list() == [1]


def test_writer_lives_as_long_as_its_loan(ring):
    reader = None
    loan = qadataswap.create_writer(ring, size_mb=1).loan({"a": int}, 1)
    gc.collect()
    with qadataswap.create_reader(ring) as reader:
        loan["a"][0] = 7
        loan.commit()
        del loan
        assert reader.read(0)["a"].to_list() == [7]
        with pytest.raises(qadataswap.EndOfStreamError):
            reader.read(0)


def test_columns_cannot_be_written_to_after_the_commit(pair):
    writer, reader = pair
    loan = writer.loan({"a": int}, 3)
    column = loan["a"]
    column[:] = 1
    loan.commit()
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 2
    assert reader.read(0)["a"].to_list() == [1, 1, 1]


def test_array_made_of_a_column_after_the_commit_is_read_only(pair):
    loan = pair[0].loan({"a": int}, 3)
    place = loan["a"].base
    loan.commit()
    assert not np.asarray(place).flags.writeable


def test_no_array_stays_writable_however_threads_race_for_it(ring):
    with qadataswap.create_writer(ring, 2, size_mb=1, when_full="overwrite") as writer:
        for number in range(300):
            loan = writer.loan({"a": int, "b": float}, 4)
            start, arrays, threads = threading.Barrier(4), [], []

            def take(loan=loan, start=start, arrays=arrays):
                start.wait()
                try:
                    for _ in range(3):
                        arrays.append(loan["a"])
                        arrays.append(loan["b"])
                except qadataswap.InvalidConfigError:
                    pass

            def end(loan=loan, start=start, number=number):
                start.wait()
                loan.commit() if number % 2 else loan.abandon()

            threads = [threading.Thread(target=target) for target in (take, take, take, end)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not any(array.flags.writeable for array in arrays)


def test_columns_are_filled_by_assigning_to_them(pair):
    writer, reader = pair
    with writer.loan({"x": float, "n": "int32", "s": str, "z": bytes, "flag": bool, "t": "datetime64[us]"}, 3) as loan:
        loan["x"] = [1, 2.5, 3]
        loan["x"] += 1
        loan["n"] = 7
        loan["s"] = pl.Series(["a", None, "c"])
        loan["z"] = b"one"
        loan["flag"] = np.array([1.0, 2.0, 3.0]) > 1.5
        loan[5] = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[D]")
        assert "x" in loan and "y" not in loan
        loan.commit()
    read = reader.read(0)
    assert read["x"].to_list() == [2, 3.5, 4]
    assert read["n"].to_list() == [7, 7, 7]
    assert read["s"].to_list() == ["a", None, "c"]
    assert read["z"].to_list() == [b"one"] * 3
    assert read["flag"].to_list() == [False, True, True]
    assert [value.day for value in read["t"]] == [1, 2, 3]


def test_columns_take_no_more_and_no_fewer_values_than_rows(pair):
    with pair[0].loan({"x": float, "s": str, "flag": bool}, 3) as loan:
        for column, values in (("x", [1, 2]), ("s", ["a"] * 4), ("s", []), ("flag", [True] * 2)):
            with pytest.raises(ValueError):
                loan[column] = values


def test_texts_of_pyarrow_are_taken(pair):
    writer, reader = pair
    with writer.loan({"s": str}, 2) as loan:
        loan.set_texts("s", pa.array(["x", None]))
        loan.commit()
    assert reader.read(0)["s"].to_list() == ["x", None]


def test_columns_may_be_of_types_that_numpy_abbreviates():
    schema = qadataswap.Schema({"a": "f8", "b": "<i4", "c": "float", "d": "M8[ns]"})
    assert schema == qadataswap.Schema({"a": float, "b": np.int32, "c": float, "d": "datetime64[ns]"})


def test_columns_may_be_looked_at_when_everything_is_gone(ring):
    writer = qadataswap.create_writer(ring, size_mb=1)
    loan = writer.loan({"a": int}, 3)
    column = loan["a"]
    column[:] = [1, 2, 3]
    loan.abandon()
    writer.close()
    del loan, writer
    gc.collect()
    assert column.shape == (3,) and int(column.sum()) == 6


def test_column_is_handed_out_once(pair):
    with pair[0].loan(SCHEMA, 3) as loan:
        assert loan["price"] is loan["price"] is loan[1] is loan[-2]


def test_loan_that_has_ended_is_refused(pair):
    loan = pair[0].loan(SCHEMA, 3)
    loan.commit(0)
    assert "ended" in repr(loan)
    for call in (loan.commit, lambda: loan["price"], lambda: loan.set_text(0, 0, "a"), lambda: loan.set_null(1, 0)):
        with pytest.raises(qadataswap.InvalidConfigError, match="has ended"):
            call()
    loan.abandon()


def test_mistakes_are_told_and_the_loan_goes_on(pair):
    writer, reader = pair
    loan = writer.loan(SCHEMA, 2)
    with pytest.raises(KeyError, match="nothing"):
        loan["nothing"]
    with pytest.raises(IndexError):
        loan[3]
    with pytest.raises(TypeError, match="set_text"):
        loan["symbol"]
    with pytest.raises(TypeError, match="not strings"):
        loan.set_text("price", 0, "a")
    with pytest.raises(TypeError, match="expected str"):
        loan.set_text("symbol", 0, b"a")
    with pytest.raises(TypeError, match="not booleans"):
        loan.set_bool("price", 0, True)
    with pytest.raises(qadataswap.InvalidConfigError, match="row 2"):
        loan.set_text("symbol", 2, "a")
    with pytest.raises(qadataswap.InvalidConfigError, match=f"'{writer.name}'.*'symbol': row {2**64 - 1}"):
        loan.set_texts("symbol", ["a", "b"], 2**64 - 1)
    with pytest.raises(TypeError, match="'symbol', row 1: expected str, or None for null, got float"):
        loan.set_texts("symbol", ["a", float("nan")])
    with pytest.raises(TypeError, match="a column's name or number, got float"):
        loan[1.5]
    with pytest.raises(qadataswap.OutOfRoomError):
        loan.set_text("symbol", 0, "more than twelve bytes")
    with pytest.raises(qadataswap.InvalidConfigError, match="3 rows"):
        loan.commit(3)
    loan["price"][:] = 1
    loan["size"][:] = 1
    loan.commit(1)
    assert reader.read(0).to_dicts() == [{"symbol": "", "price": 1.0, "size": 1}]


def test_nulls_and_booleans_are_set(pair):
    writer, reader = pair
    with writer.loan({"flag": bool, "text": str, "number": int, "bytes": bytes, "packed": bool}, 9) as loan:
        loan["number"][:] = range(9)
        for row in range(9):
            loan.set_bool("flag", row, row % 3 == 0)
        loan["packed"][:] = np.packbits([True, False] * 4 + [True], bitorder="little")
        loan.set_null("flag", 1)
        loan.set_null("number", 8)
        loan.set_texts("text", ["a", None], start=7)
        loan.set_texts("bytes", [b"a", None])
        loan.commit()
    read = reader.read(0)
    assert read["flag"].to_list() == [True, None, False, True, False, False, True, False, False]
    assert read["packed"].to_list() == [True, False] * 4 + [True]
    assert read["number"].to_list() == [*range(8), None]
    assert read["text"].to_list() == [""] * 7 + ["a", None]
    assert read["bytes"].to_list() == [b"a", None] + [b""] * 7


NOW = np.datetime64("2024-02-29T12:30:15.123456789")
KINDS = [
    *[(name, 1) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")],
    *[(np.dtype(name), 1.5) for name in ("float16", "float32", "float64")],
    *[(np.dtype(f"datetime64[{unit}]"), NOW) for unit in ("s", "ms", "us", "ns")],
    *[(f"timedelta64[{unit}]", 5) for unit in ("s", "ms", "us", "ns")],
    *[(np.float32, 1.5), (np.int16, 3), (int, 4), (float, 5.0)],
    *[(pl.Int8, 1), (pl.Float64, 1.5), (pl.Datetime("ms", "UTC"), NOW), (pl.Duration("us"), 5)],
    *[(pa.int16(), 3), (pa.timestamp("us", "Asia/Tokyo"), NOW), (datetime.datetime, NOW), (datetime.timedelta, 5)],
]


@pytest.mark.parametrize("kind, value", KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_column_is_of_the_type_that_was_asked_for(pair, kind, value):
    writer, reader = pair
    with writer.loan({"a": kind}, 3) as loan:
        loan["a"][:] = value
        kept = loan["a"].copy()
        loan.commit()
    read = reader.read_arrow(0)["a"].combine_chunks()
    assert read.null_count == 0
    assert np.array_equal(np.frombuffer(read.buffers()[1], kept.dtype)[:3], kept)


def test_dates_and_times_are_integers(pair):
    writer, reader = pair
    with writer.loan({"day": datetime.date, "time": datetime.time, "d": pa.decimal128(10, 2)}, 1) as loan:
        loan["day"][0] = 19782
        loan["time"][0] = 1_000_000_000
        loan["d"].view("<i8")[:] = [1234, 0]
        loan.commit()
    assert [str(value) for value in reader.read_arrow(0).to_pylist()[0].values()] == ["2024-02-29", "00:00:01", "12.34"]


def test_schema_may_come_from_anywhere(pair):
    writer, reader = pair
    writer.write(pl.DataFrame({"a": [1], "b": ["x"]}))
    frame = reader.read_frame(0)
    for schema in (
        *(frame, frame.schema, qadataswap.Schema({"a": int, "b": str})),
        *(pl.Schema({"a": pl.Int64, "b": pl.String}), pa.schema([("a", pa.int64()), ("b", pa.string_view())])),
    ):
        loan = writer.loan(schema, 1)
        assert loan.schema == frame.schema and loan.schema.names == ["a", "b"]
        loan["a"][0] = 5
        loan.set_text("b", 0, "y")
        loan.commit()
        assert reader.read(0).to_dicts() == [{"a": 5, "b": "y"}]


def test_what_is_no_schema_is_refused(pair):
    with pytest.raises(TypeError, match="expected a schema"):
        pair[0].loan([("a", int)], 1)
    with pytest.raises(TypeError, match="'a'.*not a type"):
        pair[0].loan({"a": "quaternion"}, 1)
    with pytest.raises(TypeError, match="name of a column, got 1"):
        pair[0].loan({1: int}, 1)
    with pytest.raises(NotImplementedError, match="view types"):
        pair[0].loan(pa.schema([("a", pa.string())]), 1)


def test_loan_waits_for_room_and_times_out(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, write_timeout_ms=150) as writer:
        with qadataswap.create_reader(ring) as reader:
            writer.write(pl.DataFrame({"a": [1]}))
            with pytest.raises(TimeoutError):
                writer.loan({"a": int}, 1)
            reader.read(0)
            writer.loan({"a": int}, 1).abandon()
