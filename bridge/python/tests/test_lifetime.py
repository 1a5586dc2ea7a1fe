"""A frame keeps its place for as long as anything of it lives, whatever else is gone; and nothing leaks."""

import gc
import itertools
import os
import random

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import qadataswap
import tables


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("order", list(itertools.permutations(["writer", "reader", "frame"])), ids="-".join)
def test_table_outlives_what_it_came_from_in_every_order(ring, order):
    things = {"writer": qadataswap.create_writer(ring, 2, size_mb=1)}
    things["reader"] = qadataswap.create_reader(ring)
    written = tables.trades(1000)
    things["writer"].write(written)
    things["frame"] = things["reader"].read_frame(0)
    read, arrow = things["frame"].to_polars(), things["frame"].to_arrow()
    column = arrow["name"].chunk(0)
    del arrow
    for name in order:
        del things[name]
        gc.collect()
        assert_frame_equal(read, written)
        assert column.to_pylist() == written["name"].to_list()
    del read
    gc.collect()
    assert column.to_pylist() == written["name"].to_list()


@pytest.mark.parametrize("order", list(itertools.permutations(["writer", "reader"])), ids="-".join)
def test_frame_outlives_both_ends_being_closed(ring, order):
    ends = {"writer": qadataswap.create_writer(ring, 2, size_mb=1)}
    ends["reader"] = qadataswap.create_reader(ring)
    ends["writer"].write(tables.trades())
    frame = ends["reader"].read_frame(0)
    for name in order:
        ends[name].close()
    assert_frame_equal(frame.to_polars(), tables.trades())


def test_capsule_that_nobody_takes_lets_go_of_its_frame(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, when_full="fail") as writer:
        with qadataswap.create_reader(ring) as reader:
            for export in ("__arrow_c_stream__", "__arrow_c_array__"):
                writer.write(tables.trades())
                capsule = getattr(reader.read_frame(0), export)()
                with pytest.raises(qadataswap.RingFullError):
                    writer.write(tables.trades())
                del capsule
                writer.write(tables.trades())
                reader.read_frame(0)


def test_one_column_keeps_the_slot(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, when_full="fail") as writer:
        with qadataswap.create_reader(ring) as reader:
            writer.write(tables.trades())
            column = reader.read(0)["value"]
            with pytest.raises(qadataswap.RingFullError, match="readers hold every slot"):
                writer.write(tables.trades())
            assert column.to_list() == tables.trades()["value"].to_list()
            del column
            writer.write(tables.trades())
            reader.read(0)


def test_kept_frames_never_change_and_memory_stays_flat(ring):
    chance = random.Random(7)
    kept = []
    before = None
    with qadataswap.create_writer(ring, 16, size_mb=16) as writer, qadataswap.create_reader(ring) as reader:
        for number in range(10_000):
            written = tables.trades(20 + number % 7, number)
            assert writer.write(written) == number
            read = reader.read(0)
            if chance.random() < 0.3:
                kept.append((read, written))
            del read
            while len(kept) > 12 or (kept and chance.random() < 0.25):
                read, written = kept.pop(chance.randrange(len(kept)))
                assert read.equals(written)
            if number == 3000:
                gc.collect()
                before = resident()
        for read, written in kept:
            assert read.equals(written)
        gc.collect()
        assert resident() - before < 8 << 20
        assert reader.get_stats()["bytes_copied"] == 0


@pytest.mark.parametrize("make", [lambda: tables.trades().to_arrow(), tables.trades], ids=["pyarrow", "polars"])
def test_what_is_written_is_released(pair, make):
    writer, reader = pair
    table = make()
    pa_before = pa.total_allocated_bytes()
    for _ in range(2000):
        writer.write(table)
        reader.read_frame(0)
    assert pa.total_allocated_bytes() <= pa_before + 4096


def test_opening_and_closing_leaks_no_descriptors_and_no_mappings(ring):
    def held():
        with open("/proc/self/maps") as file:
            return len(os.listdir("/proc/self/fd")), sum("qads" in line for line in file)

    def once():
        with qadataswap.create_writer(ring, size_mb=1) as writer, qadataswap.create_reader(ring) as reader:
            writer.write(pl.DataFrame({"a": [1]}))
            reader.read(0)

    once()
    gc.collect()
    before = held()
    for _ in range(100):
        once()
    gc.collect()
    assert held() == before
