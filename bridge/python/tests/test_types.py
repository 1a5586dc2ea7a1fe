"""Every type, both ways, judged by pyarrow and Polars; and no copy, judged by addresses."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import qadataswap
import tables

ARRAYS = tables.arrays()


def through(pair, table):
    writer, reader = pair
    writer.write_arrow(table)
    read = reader.read_arrow(0)
    read.validate(full=True)
    return read


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrow_type_comes_back_as_it_was(pair, kind):
    table = pa.table({"column": ARRAYS[kind], "row": [0, 1, 2, 3]})
    read = through(pair, table)
    assert read.schema.equals(table.schema, check_metadata=True)
    # pyarrow does not compare some types of whole tables; what they hold it can list.
    assert read.equals(table) or read.to_pylist() == table.to_pylist()


@pytest.mark.parametrize("kind", ARRAYS)
def test_slice_of_arrow_type_comes_back_as_it_was(pair, kind):
    table = pa.table({"column": ARRAYS[kind], "row": [0, 1, 2, 3]})
    read = through(pair, table.slice(1, 2))
    assert read.to_pylist() == table.slice(1, 2).to_pylist()


@pytest.mark.parametrize("kind", ARRAYS)
def test_no_rows_of_arrow_type_come_back(pair, kind):
    table = pa.table({"column": ARRAYS[kind]})
    read = through(pair, table.slice(2, 0))
    assert read.schema.equals(table.schema) and read.num_rows == 0


@pytest.mark.parametrize("kind", sorted(set(ARRAYS) - {"run_end_encoded"}))
def test_arrow_type_is_read_without_a_copy(pair, kind):
    writer, reader = pair
    writer.write_arrow(pa.table({"column": ARRAYS[kind]}))
    frame = reader.read_frame(0)
    slot = range(frame.address, frame.address + frame.nbytes)
    assert frame.bytes_copied == 0
    found = [address for address in tables.addresses(pa.table(frame))]
    assert all(address in slot for address in found)
    assert found or kind == "null"


def test_metadata_of_schema_and_fields_comes_back(pair):
    fields = [pa.field("a", pa.int64(), nullable=False, metadata={"unit": "lots", "": "ü"})]
    schema = pa.schema(fields, metadata={"who": "wir", "leer": ""})
    table = pa.table([pa.array([1, 2])], schema=schema)
    assert through(pair, table).schema.equals(schema, check_metadata=True)


def test_metadata_that_is_no_text_is_refused(pair):
    schema = pa.schema([pa.field("a", pa.int64(), metadata={b"key": b"\xff"})])
    with pytest.raises(qadataswap.ArrowError, match="utf-8"):
        pair[0].write_arrow(pa.table([pa.array([1])], schema=schema))


def test_changed_metadata_is_seen_by_a_writer_that_remembers_the_last_schema(pair):
    for unit in ("lots", "lost", "lots"):
        schema = pa.schema([pa.field("a", pa.int64(), metadata={"unit": unit})])
        read = through(pair, pa.table([pa.array([1])], schema=schema))
        assert read.schema.field("a").metadata == {b"unit": unit.encode()}


def test_chunks_come_back_as_they_were(pair):
    table = pa.concat_tables([pa.table({"a": [1, 2], "s": ["x", "y"]}), pa.table({"a": [3], "s": ["z"]})])
    read = through(pair, table)
    assert read.equals(table)
    assert [chunk.to_pylist() for chunk in read["a"].chunks] == [[1, 2], [3]]


def test_table_without_columns_comes_back(pair):
    assert through(pair, pa.table({})).num_columns == 0


def test_table_without_batches_comes_back(pair):
    schema = pa.schema([("a", pa.int64())])
    assert through(pair, pa.Table.from_batches([], schema)).schema.equals(schema)


@pytest.mark.parametrize("column", tables.gallery().columns)
def test_polars_type_comes_back_as_it_was(pair, column):
    writer, reader = pair
    table = tables.gallery().select(column)
    writer.write(table)
    read = reader.read(0)
    assert read.schema == table.schema
    assert_frame_equal(read, table)


def test_no_rows_of_all_polars_types_come_back(pair):
    writer, reader = pair
    table = tables.gallery().clear()
    writer.write(table)
    assert_frame_equal(reader.read(0), table)


def test_strings_travel_as_views(pair):
    writer, reader = pair
    writer.write(tables.trades())
    assert pa.table(reader.read_frame(0)).schema.field("name").type == pa.string_view()


def test_polars_columns_lie_in_the_slot(pair):
    writer, reader = pair
    kinds = [
        kind
        for kind, dtype in tables.gallery().schema.items()
        # These are made anew by Polars: its own tables of strings, or bitmaps of children.
        if not isinstance(dtype, (pl.Categorical, pl.Enum, pl.Struct, pl.Null))
    ]
    writer.write(tables.gallery().select(kinds))
    frame = reader.read_frame(0)
    read = pl.DataFrame(frame)
    slot = range(frame.address, frame.address + frame.nbytes)
    found = tables.addresses(pa.table(read))
    assert len(found) > len(kinds)
    # What lies elsewhere is what pyarrow was given of Polars' own: offsets of lists, which Polars has as 64 bits.
    assert all(address in slot for address in found)


def test_numpy_arrays_lie_in_the_slot(pair):
    writer, reader = pair
    writer.write(pl.DataFrame({"a": np.arange(1000.0)}))
    frame = reader.read_frame(0)
    array = frame.to_polars()["a"].to_numpy()
    assert array.__array_interface__["data"][0] in range(frame.address, frame.address + frame.nbytes)
    assert not array.flags.writeable


def test_compressed_frames_come_back_and_say_that_they_were_copied(ring):
    table = tables.gallery()
    for compression in ("lz4", "zstd"):
        with qadataswap.create_writer(ring, size_mb=4, compression=compression) as writer:
            with qadataswap.create_reader(ring) as reader:
                writer.write(table)
                frame = reader.read_frame(0)
                assert_frame_equal(frame.to_polars(), table)
                assert frame.bytes_copied > 0


def test_a_consumer_that_cannot_take_views_gets_the_strings_it_asks_for(ring):
    texts = ["short", None, "a text that is longer than a view holds inline", ""]
    with qadataswap.create_writer(ring, 2, size_mb=1) as writer, qadataswap.create_reader(ring) as reader:
        writer.write(pl.DataFrame({"s": texts, "n": [1, 2, 3, 4]}))
        frame = reader.read_frame(1000)
        assert frame.to_arrow().schema.field("s").type == pa.string_view()
        for asked in (pa.string(), pa.large_string()):
            schema = pa.schema([("s", asked), ("n", pa.int64())])
            streamed = pa.RecordBatchReader.from_stream(frame, schema=schema).read_all()
            exported = pa.record_batch(frame, schema=schema)
            for table in (streamed, exported):
                table.validate(full=True)
                assert table.schema.field("s").type == asked
                assert table.column("s").to_pylist() == texts
        # All else still lies in the slot.
        address = streamed.column("n").chunk(0).buffers()[1].address
        assert frame.address <= address < frame.address + frame.nbytes
