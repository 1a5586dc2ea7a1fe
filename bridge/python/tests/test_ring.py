"""Writing and reading: what can be written, policies, timeouts, ends, errors."""

import ctypes
import errno
import gc
import inspect
import logging
import pickle
import subprocess
import sys
import threading
import time

import duckdb
import nanoarrow
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import qadataswap
import tables
from qadataswap import _qadataswap, errors

TRADES = tables.trades()


def sent(pair, table):
    writer, reader = pair
    writer.write(table)
    return reader.read(0)


def test_lazy_frame_is_collected(pair):
    assert_frame_equal(sent(pair, TRADES.lazy().filter(pl.col("id") > 1)), TRADES.filter(pl.col("id") > 1))


def test_frame_of_many_chunks_is_written(pair):
    chunks = pl.concat([tables.trades(3), tables.trades(2, 3)], rechunk=False)
    assert_frame_equal(sent(pair, chunks), chunks)


def test_record_batch_is_written(pair):
    assert_frame_equal(sent(pair, TRADES.to_arrow().to_batches()[0]), TRADES)


def test_record_batch_reader_is_written(pair):
    assert_frame_equal(sent(pair, TRADES.to_arrow().to_reader(2)), TRADES)


def test_pandas_is_written(pair):
    frame = pd.DataFrame({"id": [1, 2], "name": ["a", None], "value": [0.5, 1.5]})
    assert sent(pair, frame).select("id", "value").equals(pl.DataFrame({"id": [1, 2], "value": [0.5, 1.5]}))


def test_duckdb_relation_is_written_and_its_connection_free_again(pair):
    connection = duckdb.connect()
    relation = connection.sql("select range as id, 'name ' || range as name from range(150000)")
    read = sent(pair, relation)
    assert connection.sql("select 42").fetchall() == [(42,)]
    assert len(read) == 150000 and read["name"][-1] == "name 149999"


def test_nanoarrow_is_written(pair):
    assert_frame_equal(sent(pair, nanoarrow.ArrayStream(TRADES.to_arrow())), TRADES)


def test_frame_of_another_ring_is_written(pair, ring):
    with qadataswap.create_writer(ring + "-other", size_mb=1) as writer:
        with qadataswap.create_reader(ring + "-other") as reader:
            writer.write(TRADES)
            assert_frame_equal(sent(pair, reader.read_frame(0)), TRADES)


def test_array_without_stream_is_written(pair):
    class Batch:
        def __init__(self, batch):
            self.batch = batch

        def __arrow_c_array__(self, requested_schema=None):
            return self.batch.__arrow_c_array__(requested_schema)

    assert_frame_equal(sent(pair, Batch(TRADES.to_arrow().to_batches()[0])), TRADES)


def test_what_is_no_table_is_refused(pair):
    with pytest.raises(TypeError, match="PyCapsule.*got list"):
        pair[0].write([1, 2, 3])
    with pytest.raises(qadataswap.ArrowError, match="expected a table.*got a column"):
        pair[0].write(pl.Series([1, 2, 3]))


def test_error_of_a_stream_is_told_and_nothing_is_written(pair):
    schema = pa.schema([("a", pa.int64())])

    def batches():
        yield pa.record_batch([[1]], schema=schema)
        raise ValueError("the source has run dry")

    with pytest.raises(qadataswap.ArrowError, match="run dry"):
        pair[0].write(pa.RecordBatchReader.from_batches(schema, batches()))
    assert pair[0].get_stats()["writes_count"] == 0


def test_stream_that_was_read_already_is_refused(pair):
    capsule = TRADES.__arrow_c_stream__()

    class Once:
        def __arrow_c_stream__(self, requested_schema=None):
            return capsule

    pair[0].write(Once())
    with pytest.raises(qadataswap.ArrowError, match="read already"):
        pair[0].write(Once())


class Stream(ctypes.Structure):
    """A stream in the Arrow C data interface, whose functions may be of Python."""

    CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    _fields_ = [
        *(("get_schema", CALL), ("get_next", CALL), ("get_last_error", ctypes.c_void_p)),
        *(("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)),
    ]


class Meddling:
    """A stream that runs `meddle` before it says of which schema it is, and before each batch."""

    def __init__(self, table, meddle):
        self.meddle, self.kept = meddle, table.__arrow_c_stream__()
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        self.stream = Stream.from_address(get(self.kept, b"arrow_array_stream"))
        fields = ("get_schema", "get_next")
        self.original = {name: ctypes.cast(getattr(self.stream, name), ctypes.c_void_p).value for name in fields}
        self.calls = [self.replace(name) for name in fields]

    def replace(self, name):
        def call(stream, out):
            self.meddle(name)
            return Stream.CALL(self.original[name])(stream, out)

        replaced = Stream.CALL(call)
        setattr(self.stream, name, replaced)
        return replaced

    def __arrow_c_stream__(self, requested_schema=None):
        return self.kept


def test_stream_may_write_to_the_ring_that_it_is_written_to(pair):
    writer, reader = pair
    writer.write(Meddling(TRADES.to_arrow(), lambda _: writer.write(TRADES.clear())))
    writer.close()
    rows = [frame.num_rows for frame in reader.frames()]
    assert len(rows) > 2 and rows == [0] * (len(rows) - 1) + [5]


def test_writer_that_a_stream_closes_says_so(pair):
    with pytest.raises(qadataswap.ClosedError):
        pair[0].write(Meddling(TRADES.to_arrow(), lambda _: pair[0].close()))


def test_capsules_that_are_not_what_they_should_be_are_refused(pair):
    writer, reader = pair
    writer.write(TRADES)
    frame = reader.read_frame(0)

    class Odd:
        def __init__(self, answer):
            self.answer = answer

        def __arrow_c_array__(self, requested_schema=None):
            return self.answer

    schema, array = frame.__arrow_c_array__()
    other = pa.record_batch({"a": [1]}).__arrow_c_array__()
    for answer in (None, 5, schema, [schema, array], (array, schema), (schema,), (other[0], array)):
        with pytest.raises((TypeError, ValueError, IndexError)):
            writer.write(Odd(answer))
    requested = frame.__arrow_c_schema__()
    frame.__arrow_c_stream__(requested)
    with pytest.raises(qadataswap.InvalidConfigError, match="released"):
        frame.__arrow_c_stream__(requested)


def test_frame_is_taken_by_every_library(pair):
    writer, reader = pair
    writer.write(TRADES)
    frame = reader.read_frame(0)
    assert_frame_equal(pl.DataFrame(frame), TRADES)
    assert pa.table(frame).equals(pa.table(TRADES))
    assert pa.record_batch(frame).num_rows == 5
    assert pa.schema(frame).names == TRADES.columns
    assert duckdb.sql("select sum(value) from frame").fetchall() == [(TRADES["value"].sum(),)]
    assert pa.table(nanoarrow.c_array_stream(frame)).equals(pa.table(TRADES))
    assert frame.to_pandas()["name"].to_list() == TRADES["name"].to_list()
    assert pd.DataFrame.from_arrow(frame).shape == (5, 3)


def test_frame_of_many_batches_is_no_array(pair):
    writer, reader = pair
    writer.write(pa.concat_tables([TRADES.to_arrow()] * 2))
    frame = reader.read_frame(0)
    assert (frame.num_batches, frame.num_rows, len(frame)) == (2, 10, 10)
    assert not hasattr(frame, "__arrow_c_array__")
    assert len(frame.to_polars()) == 10


def test_frame_says_what_it_is(pair):
    writer, reader = pair
    assert writer.write(TRADES) == 0
    assert writer.write(TRADES) == 1
    reader.read_frame(0)
    frame = reader.read_frame(0)
    assert (frame.sequence, frame.missed, frame.num_columns) == (1, 0, 3)
    assert 0 <= frame.age.total_seconds() < 60
    assert 0 < frame.published_ns <= time.monotonic_ns()
    assert repr(frame) == f"<qadataswap.Frame 1: 5 rows x 3 columns, {frame.nbytes} bytes>"
    assert "<table" in frame._repr_html_()
    assert frame.schema.names == TRADES.columns


def test_reading_as_tables_of_a_missing_library_takes_no_frame(pair, python):
    code = """
import sys
sys.modules["polars"] = sys.modules["pyarrow"] = None
import qadataswap
with qadataswap.create_reader(sys.argv[1]) as reader:
    for read in (reader.read, reader.try_read, reader.read_arrow, lambda: next(iter(reader)), reader.frames().__next__):
        try:
            print(read().sequence)
        except ImportError as error:
            assert "read_frame" in str(error)
"""
    pair[0].write(TRADES)
    assert python(code, pair[0].name).communicate(timeout=60)[0] == "0\n"


def test_reader_is_iterated_to_the_end_of_the_stream(pair):
    writer, reader = pair
    for first in range(3):
        writer.write(tables.trades(2, first))
    writer.close()
    assert [table["id"][0] for table in reader] == [0, 1, 2]
    with pytest.raises(EOFError):
        reader.read(0)


def test_frames_are_iterated_to_the_end_of_the_stream(pair):
    writer, reader = pair
    writer.write(TRADES)
    writer.write(TRADES)
    writer.close()
    assert [frame.sequence for frame in reader.frames()] == [0, 1]


def test_nothing_yet_is_none(pair):
    reader = pair[1]
    for read in (reader.read, reader.read_arrow, reader.read_frame):
        assert read(0) is None and read(timeout_ms=15) is None
    assert reader.try_read() is None and reader.try_read_arrow() is None and reader.try_read_frame() is None
    assert reader.get_stats()["wait_timeouts"] == 6


def test_condition_that_does_not_come_true_is_none(pair):
    pair[0].write(TRADES)
    assert pair[1].wait_for_condition(lambda table: len(table) > 5, timeout_ms=30) is None


def test_condition_times_out_though_frames_keep_coming(pair):
    writer, reader = pair
    looks = 0

    def never(table):
        nonlocal looks
        looks += 1
        assert looks < 1_000_000
        writer.write(table)
        return False

    writer.write(TRADES)
    assert reader.wait_for_condition(never, timeout_ms=30) is None


def test_condition_looks_at_all_that_is_there_without_waiting(pair):
    for rows in (1, 2, 3):
        pair[0].write(tables.trades(rows))
    assert len(pair[1].wait_for_condition(lambda table: len(table) == 3, timeout_ms=0)) == 3
    assert pair[1].wait_for_condition(bool, timeout_ms=0) is None


def test_error_of_a_condition_is_raised(pair):
    pair[0].write(TRADES)
    with pytest.raises(ZeroDivisionError):
        pair[1].wait_for_condition(lambda table: 1 / 0)


def test_lossy_reader_learns_how_many_it_missed(ring):
    with qadataswap.create_writer(ring, 2, size_mb=1) as writer:
        with qadataswap.create_reader(ring, policy="lossy") as reader:
            for first in range(10):
                writer.write(tables.trades(1, first))
            frame = reader.read_frame(0)
            assert frame.missed == frame.sequence == 8
            assert reader.get_stats()["frames_missed"] == 8


def test_latest_reader_jumps_to_the_newest(ring):
    with qadataswap.create_writer(ring, 4, size_mb=1) as writer:
        with qadataswap.create_reader(ring, policy="latest") as reader:
            for first in range(4):
                writer.write(tables.trades(1, first))
            assert reader.read(0)["id"].item() == 3


def test_observer_takes_no_place_and_copies(ring):
    with qadataswap.create_writer(ring, 2, size_mb=1, max_readers=1, when_full="overwrite") as writer:
        with qadataswap.create_reader(ring, policy="latest"):
            observers = [qadataswap.create_reader(ring, policy="observer") for _ in range(3)]
            for first in range(3):
                writer.write(tables.trades(1, first))
            for observer in observers:
                frame = observer.read_frame(0)
                assert (frame.sequence, frame.missed) == (1, 1)
                assert observer.read(1000)["id"].item() == 2
                assert observer.get_stats()["bytes_copied"] > 0
                assert observer.read(5) is None
                observer.close()


def test_reader_may_start_at_the_newest(ring):
    with qadataswap.create_writer(ring, 4, size_mb=1) as writer:
        for first in range(3):
            writer.write(tables.trades(1, first))
        with qadataswap.create_reader(ring, start="newest") as reader:
            assert reader.read(0)["id"].item() == 2


def test_full_ring_times_out_and_goes_on_once_there_is_room(ring):
    with qadataswap.create_writer(ring, 2, size_mb=1, write_timeout_ms=250) as writer:
        with qadataswap.create_reader(ring) as reader:
            writer.write(TRADES)
            writer.write(TRADES)
            began = time.monotonic()
            with pytest.raises(TimeoutError, match=r"stayed full for 2\d\d"):
                writer.write(TRADES)
            assert time.monotonic() - began >= 0.25
            assert writer.get_stats()["wait_timeouts"] == writer.get_stats()["full_waits"] == 1
            assert writer.try_write(TRADES) is None
            reader.read_frame(0)
            assert writer.write(TRADES) == 2
            assert writer.try_write(TRADES) is None


def test_writer_waits_for_a_slow_reader(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, write_timeout_ms=-1) as writer:
        with qadataswap.create_reader(ring) as reader:
            writer.write(TRADES)
            timer = threading.Timer(0.35, reader.read_frame)
            timer.start()
            assert writer.write(TRADES) == 1
            timer.join()
            assert writer.get_stats()["wait_timeouts"] == 0


def test_full_ring_fails_at_once_if_asked_to(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, when_full="fail") as writer:
        with qadataswap.create_reader(ring):
            writer.write(TRADES)
            with pytest.raises(qadataswap.RingFullError):
                writer.write(TRADES)


def test_overwriting_ring_refuses_lossless_readers(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, when_full="overwrite"):
        with pytest.raises(qadataswap.InvalidConfigError):
            qadataswap.create_reader(ring)


def test_reader_waits_for_its_ring(ring):
    writers = []
    timer = threading.Timer(0.25, lambda: writers.append(qadataswap.create_writer(ring, size_mb=1)))
    timer.start()
    qadataswap.create_reader(ring, attach_timeout_ms=20_000).close()
    timer.join()
    with pytest.raises(FileNotFoundError):
        qadataswap.create_reader(ring + "-other", attach_timeout_ms=120)


def test_frame_too_large_says_how_much_there_is(ring):
    with qadataswap.create_writer(ring, slot_bytes=4096) as writer:
        assert writer.slot_bytes == 4096
        with pytest.raises(qadataswap.FrameTooLargeError, match="a slot holds 4096"):
            writer.write(tables.trades(1000))


def test_handle_of_the_other_end_is_told_apart(pair):
    writer, reader = pair
    for call in (writer.read, writer.try_read, writer.frames, writer.has_writer, lambda: iter(writer), writer.read_async):
        with pytest.raises(qadataswap.WrongRoleError, match="create_reader"):
            call()
    for call in (lambda: reader.write(TRADES), lambda: reader.loan({"a": int}, 1), reader.reader_count):
        with pytest.raises(qadataswap.WrongRoleError, match="create_writer"):
            call()


def test_closed_handles_say_so(pair):
    writer, reader = pair
    writer.close()
    writer.close()
    reader.close()
    with pytest.raises(qadataswap.ClosedError):
        writer.write(TRADES)
    with pytest.raises(qadataswap.ClosedError):
        reader.read()


def test_read_is_ended_by_closing_the_reader_in_another_thread(pair):
    reader = pair[1]
    threading.Timer(0.2, reader.close).start()
    with pytest.raises(qadataswap.ClosedError):
        reader.read()


def test_write_is_ended_by_closing_the_writer_in_another_thread(ring):
    writer = qadataswap.create_writer(ring, 1, size_mb=1, write_timeout_ms=-1)
    with qadataswap.create_reader(ring):
        writer.write(TRADES)
        threading.Timer(0.2, writer.close).start()
        with pytest.raises(qadataswap.ClosedError):
            writer.write(TRADES)


def test_handle_says_whether_it_is_closed(pair):
    for end in pair:
        assert not end.closed and "closed" not in repr(end)
        end.close()
        assert end.closed and repr(end).endswith(", closed>")


def test_time_that_is_no_number_is_refused(pair):
    for timeout in (float("nan"), "1", [1]):
        with pytest.raises((TypeError, ValueError)):
            pair[1].read(timeout)
    pair[0].write(TRADES)
    for timeout in (float("inf"), -float("inf"), sys.float_info.max, None, sys.maxsize):
        assert pair[1].read_frame(timeout).num_rows == 5
        pair[0].write(TRADES)


def test_table_that_polars_does_not_know_is_told_by_an_error_with_a_remedy(pair):
    table = pa.table({"a": pa.array([1], pa.decimal256(50, 2))})
    pair[0].write(table)
    with pytest.raises(NotImplementedError, match=f"'{pair[0].name}': frame 0 .*read_arrow"):
        pair[1].read(0)
    pair[0].write(table)
    assert pair[1].read_arrow(0).equals(table)


def test_second_writer_is_refused(pair):
    with pytest.raises(FileExistsError, match="already has a writer"):
        qadataswap.create_writer(pair[0].name)


def test_has_writer_tells_the_end(pair):
    writer, reader = pair
    assert reader.has_writer()
    writer.close()
    assert not reader.has_writer()


def test_stats_have_the_names_of_rust(pair):
    assert list(pair[0].get_stats()) == [
        *("writes_count", "bytes_written", "rows_written", "bytes_in_place", "reads_count", "bytes_read", "rows_read"),
        *("bytes_copied", "frames_missed", "wait_timeouts", "full_waits", "readers_evicted", "frames_published", "lag"),
    ]


def test_full_disk_is_an_os_error_with_its_number(ring):
    with pytest.raises(OSError) as raised:
        qadataswap.create_writer(ring, size_mb=1 << 20, prefault=True)
    assert isinstance(raised.value, qadataswap.NoSpaceError)
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    "options",
    [
        {"size_mb": -1},
        {"size_mb": float("nan")},
        {"when_full": "panic"},
        {"compression": "gzip"},
        {"buffer_count": 0},
        {"wait": "for ever"},
        {"wait": (-1, 0)},
        {"wait": (0, float("nan"))},
        {"mode": 660},
    ],
)
def test_option_that_makes_no_sense_is_refused(ring, options):
    with pytest.raises(qadataswap.InvalidConfigError, match=ring):
        qadataswap.create_writer(ring, **options)


def test_options_are_taken(ring):
    options = dict(max_readers=2, write_timeout_ms=None, prefault=True, mode=0o640, wait=(5, 10), trusted_owners=[0])
    with qadataswap.create_writer(ring, 2, size_mb=0.5, **options) as writer:
        with qadataswap.create_reader(ring, validation="full", wait="spin", attach_timeout_ms=1):
            with qadataswap.create_reader(ring, validation="full_on_copy", wait="sleep") as reader:
                with pytest.raises(qadataswap.TooManyReadersError):
                    qadataswap.create_reader(ring)
                writer.write(TRADES)
                assert_frame_equal(reader.read(), TRADES)
        writer.write(TRADES)


def test_ring_may_lie_in_another_folder(ring, tmp_path):
    with qadataswap.create_writer(ring, size_mb=1, directory=tmp_path) as writer:
        writer.write(TRADES)
        with qadataswap.create_reader(ring, directory=str(tmp_path)) as reader:
            assert_frame_equal(reader.read(), TRADES)


def test_every_kind_of_error_has_its_exception():
    kinds = {kind for _, kind in _qadataswap.error_kinds()}
    assert kinds == set(errors.BY_KIND)
    for kind, error in errors.BY_KIND.items():
        assert issubclass(error, RuntimeError)
        assert error.__name__ == (kind if kind.endswith("Error") else kind + "Error")
        assert error in vars(qadataswap).values()
        again = pickle.loads(pickle.dumps(error("what went wrong")))
        assert (type(again), str(again)) == (error, "what went wrong")


def test_ring_logs_to_python(ring, caplog):
    with caplog.at_level(logging.DEBUG, "qadataswap"):
        with qadataswap.create_writer(ring, size_mb=1):
            pass
    assert any(ring in record.getMessage() and "created" in record.getMessage() for record in caplog.records)


def test_log_level_of_the_environment_is_honoured(ring):
    code = f"import qadataswap; qadataswap.create_writer('{ring}', size_mb=1).close(); qadataswap.create_reader('{ring}').close()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"QADATASWAP_LOG_LEVEL": "info", "PYTHONPATH": sys.path[0]}
        | {"PYTHONPATH": ":".join(sys.path)}
    )
    assert "INFO qadataswap: created" in done.stderr, done.stderr


def test_import_brings_in_no_other_library():
    code = "import sys, qadataswap; print({'polars', 'pyarrow', 'numpy', 'pandas', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.stdout.strip() == "set()", done.stderr


def test_everything_public_is_documented():
    for name in qadataswap.__all__:
        thing = getattr(qadataswap, name)
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if not member.startswith("_"):
                    assert inspect.getdoc(value), f"{name}.{member}"


def test_handles_are_collected(ring):
    writer = qadataswap.create_writer(ring, size_mb=1)
    writer.write(TRADES)
    reader = qadataswap.create_reader(ring)
    assert_frame_equal(reader.read(), TRADES)
    del writer
    gc.collect()
    with pytest.raises(qadataswap.EndOfStreamError):
        reader.read()


@pytest.mark.parametrize("has_its_steps", [True, False])
def test_polars_that_goes_another_way_is_asked_by_its_constructor(ring, has_its_steps):
    code = f"""
import polars as pl, pyarrow as pa, qadataswap
frame = pl.DataFrame({{"n": [1, None], "text": ["short", "too long for its view"]}})
class Counting(pl.DataFrame):
    made = 0
    def __init__(self, *args, **options):
        Counting.made += 1
        super().__init__(*args, **options)
pl.DataFrame = Counting
if not {has_its_steps}:
    class Series: "Has no inside."
    pl.Series = Series
with qadataswap.create_writer("{ring}", size_mb=1) as writer, qadataswap.create_reader("{ring}") as reader:
    writer.write(frame)
    assert reader.read().equals(frame)
    before = Counting.made
    writer.write(frame)
    assert reader.read().equals(frame)
    print(Counting.made - before)
    writer.write(pa.table({{"n": pa.array([1], pa.decimal256(60))}}))
    writer.write(frame)
    try:
        reader.read()
    except qadataswap.UnsupportedError as error:
        assert "read_arrow()" in str(error), error
    else:
        raise AssertionError("Polars knows it")
    assert reader.read().equals(frame)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("0" if has_its_steps else "1")


def test_what_polars_refuses_holds_no_slot(ring):
    times = pa.array([1, 2], pa.timestamp("us", tz="Mars/Phobos"))
    with qadataswap.create_writer(ring, 2, size_mb=1, when_full="fail") as writer, qadataswap.create_reader(ring) as reader:
        for _ in range(5):
            writer.write(pa.table({"before": [1, 2], "time": times, "behind": ["a", "b"]}))
            with pytest.raises(pl.exceptions.ComputeError, match="Mars/Phobos"):
                reader.read()
            gc.collect()


@pytest.mark.parametrize("rows", [0, 1, 100])
def test_plain_columns_are_polars_without_a_copy_and_keep_their_slot(ring, rows):
    number = pl.int_range(rows, eager=True)
    odd = number % 2 == 1
    frame = tables.trades(rows).with_columns(
        pl.Series("day", number.cast(pl.Int32).cast(pl.Date)),
        pl.Series("time", number.cast(pl.Datetime("ns", "Asia/Shanghai"))),
        pl.Series("span", number.cast(pl.Duration("ms"))),
        pl.Series("hour", number.cast(pl.Time)),
        pl.Series("odd", odd),
        pl.Series("small", number.cast(pl.UInt8)),
        pl.Series("bytes", [b"bytes of some length" * (i % 3) for i in range(rows)], dtype=pl.Binary),
    )
    # Every other row of every other column is null.
    frame = frame.with_columns(pl.when(odd).then(pl.col(frame.columns[::2])))
    with qadataswap.create_writer(ring, 2, size_mb=1, when_full="fail") as writer, qadataswap.create_reader(ring) as reader:
        writer.write(frame)
        kept = reader.read()
        assert reader.get_stats()["bytes_copied"] == 0
        for _ in range(5):
            writer.write(frame)
            assert_frame_equal(reader.read(), frame)
        assert_frame_equal(kept, frame)
        column = kept.to_series(0)
        del kept
        writer.write(frame.reverse())
        assert_frame_equal(reader.read(), frame.reverse())
        assert column.equals(frame.to_series(0)), "any column keeps the slot"
