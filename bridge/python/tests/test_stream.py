"""Streams: data sets larger than the ring, and larger than a slot."""

import threading

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import qadataswap
import tables
from qadataswap import SharedDataStream


def received(ring, write, **options):
    """All that a reader gets of what `write` writes to a stream."""
    read = []
    with SharedDataStream.create_writer(ring, **options) as writer:
        reader = SharedDataStream.create_reader(ring)

        def take():
            for chunk in reader.iter_chunks():
                read.append(pl.DataFrame(chunk.to_dict(as_series=False), schema=chunk.schema))

        taking = threading.Thread(target=take)
        taking.start()
        write(writer)
    taking.join()
    return read


def test_data_set_larger_than_the_ring_arrives_whole(ring):
    chunks = [tables.trades(1000, first) for first in range(0, 100_000, 1000)]
    read = received(ring, lambda writer: [writer.write_chunk(chunk) for chunk in chunks], size_mb=0.5)
    assert_frame_equal(pl.concat(read), pl.concat(chunks))


def test_chunk_larger_than_a_slot_is_split_in_order(ring):
    chunk = tables.trades(50_000)
    read = received(ring, lambda writer: writer.write_chunk(chunk), size_mb=0.5)
    assert len(read) > 5
    assert_frame_equal(pl.concat(read), chunk)


def test_batches_are_split_across_their_borders(ring):
    table = pa.concat_tables([tables.trades(7_000).to_arrow(), tables.trades(20_000).to_arrow().slice(3)])
    read = received(ring, lambda writer: writer.write_chunk(table), size_mb=0.5)
    assert len(read) > 2
    assert_frame_equal(pl.concat(read), pl.from_arrow(table))


def test_row_larger_than_a_slot_is_refused_after_those_before(ring):
    chunk = pl.DataFrame({"a": ["x", "y", "z" * 10_000, "w"]})

    def write(writer):
        with pytest.raises(qadataswap.FrameTooLargeError):
            writer.write_chunk(chunk)

    read = received(ring, write, slot_bytes=4096)
    assert pl.concat(read)["a"].to_list() == ["x", "y"]


def test_rows_that_fit_are_learnt_anew_after_a_large_chunk(ring):
    frames = []
    large, small = pl.DataFrame({"a": ["x" * 500] * 100}), pl.DataFrame({"a": ["x"] * 100})
    with SharedDataStream.create_writer(ring, slot_bytes=8192, buffer_count=100) as writer:
        writer.write_chunk(large)
        for _ in range(12):
            before = writer.get_stats()["writes_count"]
            writer.write_chunk(small)
            frames.append(writer.get_stats()["writes_count"] - before)
    assert frames[0] > 1 and frames[-1] == 1


def test_chunk_of_no_rows_arrives(ring):
    read = received(ring, lambda writer: writer.write_chunk(tables.trades(0)))
    assert [chunk.shape for chunk in read] == [(0, 3)]


def test_frames_of_a_stream_are_for_any_library(ring):
    with SharedDataStream.create_writer(ring) as writer:
        reader = SharedDataStream.create_reader(ring)
        writer.write_chunk(tables.trades())
    assert [pa.table(frame).num_rows for frame in reader.frames()] == [5]
    assert repr(reader).startswith(f"<qadataswap.SharedDataStream reader of '{ring}'")
    assert reader.name == ring
    reader.close()


def test_chunks_may_be_read_one_by_one(ring):
    with SharedDataStream.create_writer(ring) as writer, SharedDataStream.create_reader(ring) as reader:
        writer.write_chunk(tables.trades())
        assert_frame_equal(reader.read_chunk(), tables.trades())
        assert reader.read_chunk(timeout_ms=5) is None


def test_an_exception_in_the_block_breaks_the_stream_off(ring):
    with pytest.raises(LookupError), SharedDataStream.create_writer(ring) as writer:
        reader = SharedDataStream.create_reader(ring)
        writer.write_chunk(tables.trades())
        raise LookupError("the source went away")
    assert reader.read_chunk().height == 5
    with pytest.raises(qadataswap.AbortedError, match="LookupError: the source went away"):
        reader.read_chunk()
    with pytest.raises(ConnectionError):
        list(reader)
    reader.close()


def test_a_writer_that_is_forgotten_breaks_the_stream_off(ring):
    writer = SharedDataStream.create_writer(ring)
    reader = SharedDataStream.create_reader(ring)
    writer.write_chunk(tables.trades())
    del writer
    with pytest.raises(qadataswap.AbortedError, match="dropped before it was closed"):
        for _ in reader:
            pass
    reader.close()


def test_a_stream_that_is_not_as_long_as_announced_is_broken_off(ring):
    writer = SharedDataStream.create_writer(ring, total_rows=6)
    reader = SharedDataStream.create_reader(ring)
    writer.write_chunk(tables.trades())
    assert writer.progress() == (5, 5, 6, False)
    with pytest.raises(qadataswap.InvalidConfigError, match="ended after 5 of 6 rows"):
        writer.close()
    assert reader.read_chunk().height == 5
    assert reader.progress() == (5, 5, 6, True)
    with pytest.raises(qadataswap.AbortedError):
        reader.read_chunk()
    reader.close()


def test_the_first_reader_may_come_late_the_second_may_not(ring):
    writer = SharedDataStream.create_writer(ring, buffer_count=2, when_full="fail")
    writer.write_chunk(pl.DataFrame({"a": [0]}))
    writer.write_chunk(pl.DataFrame({"a": [1]}))
    with pytest.raises(qadataswap.RingFullError, match="no reader has read the oldest frame"):
        writer.write_chunk(pl.DataFrame({"a": [2]}))
    reader = SharedDataStream.create_reader(ring)
    assert reader.read_chunk()["a"].to_list() == [0]
    writer.write_chunk(pl.DataFrame({"a": [2]}))
    with pytest.raises(qadataswap.InvalidConfigError, match="the stream began at frame 0"):
        SharedDataStream.create_reader(ring)
    writer.close()
    assert [chunk["a"].item() for chunk in reader] == [1, 2]
    reader.close()


def test_a_stream_crosses_processes(ring, python):
    code = (
        "import sys, polars as pl\n"
        "from qadataswap import SharedDataStream\n"
        "with SharedDataStream.create_writer(sys.argv[1], size_mb=0.5, total_rows=100_000) as writer:\n"
        "    writer.write_all(pl.DataFrame({'a': range(i, i + 1000)}) for i in range(0, 100_000, 1000))\n"
    )
    process = python(code, ring)
    reader = SharedDataStream.create_reader(ring, attach_timeout_ms=20_000)
    rows = [row for chunk in reader for row in chunk["a"].to_list()]
    assert rows == list(range(100_000)) and reader.progress() == (100_000, 100_000, 100_000, True)
    assert process.wait(20) == 0
    reader.close()
