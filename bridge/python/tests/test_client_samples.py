"""What the package's pages show, as written there, but for the names of rings."""

import asyncio
import datetime
import re
import threading
from pathlib import Path

import polars as pl
import pyarrow as pa
from polars.testing import assert_frame_equal

import qadataswap
from qadataswap import SharedDataFrame, SharedDataStream


def test_basic_usage(ring):
    df = pl.DataFrame({
        "id": [1, 2, 3, 4, 5],
        "name": ["Alice", "Bob", "Charlie", "David", "Eve"],
        "value": [10.5, 20.3, 30.1, 40.8, 50.2]
    })

    writer = qadataswap.create_writer(ring, size_mb=100)
    writer.write(df)

    reader = qadataswap.create_reader(ring)
    df_received = reader.read()

    assert str(df_received) == """\
shape: (5, 3)
┌─────┬─────────┬───────┐
│ id  ┆ name    ┆ value │
│ --- ┆ ---     ┆ ---   │
│ i64 ┆ str     ┆ f64   │
╞═════╪═════════╪═══════╡
│ 1   ┆ Alice   ┆ 10.5  │
│ 2   ┆ Bob     ┆ 20.3  │
│ 3   ┆ Charlie ┆ 30.1  │
│ 4   ┆ David   ┆ 40.8  │
│ 5   ┆ Eve     ┆ 50.2  │
└─────┴─────────┴───────┘"""


def test_advanced_usage(ring):
    writer = qadataswap.SharedDataFrame.create_writer(
        name=ring,
        size_mb=500,        # 500MB shared memory
        buffer_count=8      # 8 ring buffers
    )

    table = pa.table({"x": [1, 2, 3], "y": [4, 5, 6]})
    writer.write_arrow(table)

    reader = qadataswap.SharedDataFrame.create_reader(ring)
    df = reader.read(timeout_ms=1000)  # 1 second timeout

    stats = writer.get_stats()
    assert f"Bytes written: {stats['bytes_written']}" != "Bytes written: 0"
    assert f"Write count: {stats['writes_count']}" == "Write count: 1"
    assert_frame_equal(df, pl.from_arrow(table))


def test_quick_start(ring):
    writer = SharedDataFrame.create_writer(ring, size_mb=100)
    df = pl.DataFrame({"a": [1, 2, 3], "b": [4.0, 5.0, 6.0]})
    writer.write(df)

    reader = SharedDataFrame.create_reader(ring)
    assert_frame_equal(reader.read(), df)


def test_streaming(ring):
    class LargeDataset:
        def __init__(self, frame):
            self.frame = frame

        def iter_chunks(self, chunk_size):
            return self.frame.iter_slices(chunk_size)

    large_dataset = LargeDataset(pl.DataFrame({"a": range(2_500_000)}))
    processed = []

    with SharedDataStream.create_writer(ring) as writer:
        for chunk in large_dataset.iter_chunks(chunk_size=1000000):
            writer.write_chunk(chunk)

    reader = SharedDataStream.create_reader(ring)
    for chunk in reader.iter_chunks():
        processed.append(chunk)

    assert_frame_equal(pl.concat(processed), large_dataset.frame)
    del processed, chunk


def test_condition(pair):
    writer, reader = pair
    for rows in (10, 1000, 1001):
        writer.write(pl.DataFrame({"a": range(rows)}))
    assert len(reader.wait_for_condition(lambda df: len(df) > 1000)) == 1001


def test_async_api(pair):
    writer, reader = pair
    writer.write(pl.DataFrame({"a": [1]}))

    async def main():
        df = await reader.read_async()
        return df

    assert asyncio.run(main())["a"].to_list() == [1]


def test_writer_by_position_and_reader_by_position(ring):
    writer = qadataswap.create_writer(ring, 10)
    table = pa.table({"a": [1]})
    writer.write_arrow(table)
    reader = qadataswap.create_reader(ring)
    assert reader.read_arrow(5000).equals(table)
    assert reader.read_arrow(1) is None


def test_producer_and_consumer(ring):
    seen = []
    writer = qadataswap.create_writer(ring, 10)

    def consume():
        reader = qadataswap.create_reader(ring)
        while len(seen) < 20:
            table = reader.read_arrow(5000)  # 5秒超时
            if table:
                df = pl.from_arrow(table)
                seen.append(df["a"].item())

    consumer = threading.Thread(target=consume)
    consumer.start()
    while writer.reader_count() == 0:
        pass
    for number in range(20):
        polars_df = pl.DataFrame({"a": [number]})
        arrow_table = polars_df.to_arrow()
        writer.write_arrow(arrow_table)
    consumer.join()
    assert seen == list(range(20))


def test_multiple_languages(ring):
    writer = qadataswap.create_writer(ring, 5)
    df = pl.DataFrame({"price": [1.0, 2.0], "volume": [100, 200]})
    writer.write_arrow(df.to_arrow())
    assert_frame_equal(qadataswap.create_reader(ring).read(3000), df)


def test_readme_runs_as_written(ring):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    for name in ("market_data", "bigdata"):
        text = text.replace(f'"{name}"', f'"{ring}-{name}"')
    first, loan, stream, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    processed = []
    names = {
        "prices": range(10),
        "symbols": [f"S{row}" for row in range(10)],
        "chunks": [pl.DataFrame({"a": [1, 2]})],
        "process": processed.append,
    }
    exec(first + loan + stream, names)
    assert [chunk["a"].to_list() for chunk in processed] == [[1, 2]]
    keep = re.search(r"copy what is kept \(`(.*?)`", text)[1]
    df = names["reader"].read(0)
    kept = eval(keep, {"pl": pl, "df": df})
    assert kept["symbol"].to_list() == names["symbols"]
    del df, names, processed[:]
    assert kept["price"].to_list() == list(range(10))


def test_recordings_of_the_readme_run_as_written(ring, tmp_path):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    text = text.replace('"market_data"', f'"{ring}"').replace("/data/market", str(tmp_path / "market"))
    *_, recordings = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    record, follow = recordings.split("\n\nwith recording.follow")
    with qadataswap.create_writer(ring, 2000, size_mb=16) as writer:
        keeps_the_ring = qadataswap.create_reader(ring)
        for row in range(1003):
            writer.write(pl.DataFrame({"row": [row]}))
    names = {"qadataswap": qadataswap, "pl": pl, "datetime": datetime.datetime}
    exec(record, names)
    assert names["frame"].sequence == 1002 and names["df"]["row"].item() == 1002
    exec("with recording.follow" + follow, names)
    assert names["df"]["row"].item() == 1002
    keeps_the_ring.close()


def test_errors_are_runtime_errors(ring):
    try:
        qadataswap.create_reader(ring)
    except RuntimeError as error:
        assert ring in str(error)
    else:
        raise AssertionError("there is no such ring")


def test_has_arrow_support_and_version():
    assert qadataswap.has_arrow_support() is True
    assert qadataswap.get_version() == qadataswap.__version__
