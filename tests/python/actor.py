"""An actor in Python: plays the roles of tests/src/role.rs that tables have a part in, on pyarrow and Polars.

Takes its role as a line of JSON and says what it does as lines of JSON, as the actors in Rust and C++ do. Equality is
pyarrow's word, not ours.
"""

import json
import sys

import pyarrow as pa
import qadataswap

import stream

PATIENCE_MS = 30_000


def say(line) -> None:
    print(json.dumps(line), flush=True)


def options(ring: dict) -> dict:
    return {"directory": ring["directory"], "trusted_owners": ring["trusted"], "wait": "sleep" if ring["sleep"] else "balanced"}


def open_writer(ring: dict):
    full = ring["full"]
    patience = full["Block"] if isinstance(full, dict) else 0
    return qadataswap.SharedDataFrame.create_writer(
        ring["name"],
        buffer_count=ring["slots"],
        slot_bytes=ring["slot_bytes"],
        max_readers=ring["max_readers"],
        when_full="block" if isinstance(full, dict) else full.lower(),
        write_timeout_ms=patience,
        compression=ring["squeeze"].lower(),
        compression_level=1,
        prefault=ring["prefault"],
        mode=ring["mode"],
        **options(ring),
    )


def open_reader(ring: dict):
    return qadataswap.SharedDataFrame.create_reader(
        ring["name"],
        policy=ring["policy"].lower(),
        start="newest" if ring["newest"] else "oldest",
        validation={"Form": "form", "Full": "full", "FullOnCopy": "full_on_copy"}[ring["validation"]],
        attach_timeout_ms=ring["attach_ms"],
        **options(ring),
    )


def tables_of(path: str):
    """The tables of a file of Arrow IPC streams, one after the other."""
    with pa.OSFile(path) as file:
        while file.tell() < file.size():
            yield pa.ipc.open_stream(file).read_all()


def buffers(array: pa.Array):
    """Every buffer of an array, of those below it, and of its dictionary."""
    yield from (buffer for buffer in array.buffers() if buffer is not None and buffer.size)
    yield from (buffer for values in dictionaries(array) for buffer in buffers(values))


def dictionaries(array: pa.Array):
    """The dictionaries in an array, whose buffers pyarrow does not count among its own."""
    if isinstance(array, pa.ExtensionArray):
        yield from dictionaries(array.storage)
    elif isinstance(array, pa.DictionaryArray):
        yield array.dictionary
    elif isinstance(array, (pa.StructArray, pa.UnionArray)):
        for field in range(array.type.num_fields):
            yield from dictionaries(array.field(field))
    elif hasattr(array, "values") and isinstance(array.values, pa.Array):
        yield from dictionaries(array.values)


def check_within(table: pa.Table, frame) -> None:
    start, end = frame.address, frame.address + frame.nbytes
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in buffers(chunk):
                if not (start <= buffer.address and buffer.address + buffer.size <= end):
                    raise ValueError(f"a buffer of {chunk.type} lies outside the slot")


def check_equal(got: pa.Table, expected: pa.Table) -> None:
    got.validate(full=True)
    if not got.schema.equals(expected.schema, check_metadata=True):
        raise ValueError(f"schema {got.schema}\ninstead of {expected.schema}")
    for name, left, right in zip(expected.column_names, got.columns, expected.columns):
        same = left.num_chunks == right.num_chunks
        if not (same and all(a.equals(b) for a, b in zip(left.chunks, right.chunks))):
            raise ValueError(f"column '{name}' is {left}\ninstead of {right}")
    if got.num_rows != expected.num_rows:
        raise ValueError(f"{got.num_rows} rows instead of {expected.num_rows}")


def compare(role: dict) -> None:
    expected = tables_of(role["file"])
    compressed = role["ring"]["squeeze"] != "None"
    read, first, last = 0, None, None
    reader = open_reader(role["ring"])
    say({"Open": {"next": 0, "millis": 0}})
    kept = wanted = None
    while True:
        try:
            frame = reader.read_frame(PATIENCE_MS)
        except qadataswap.EndOfStreamError:
            break
        if frame is None:
            raise TimeoutError(f"no table {read}")
        kept, wanted = frame.to_arrow(), next(expected)
        try:
            check_equal(kept, wanted)
            if not compressed:
                check_within(kept, frame)
                if frame.bytes_copied:
                    raise ValueError(f"{frame.bytes_copied} bytes were copied")
        except ValueError as error:
            raise ValueError(f"table {read}: {error}") from error
        first, last = frame.sequence if first is None else first, frame.sequence
        read += 1
        del frame
    if next(expected, None) is not None:
        raise ValueError(f"the ring has only {read} of the file's tables")
    missed = reader.get_stats()["frames_missed"]
    reader.close()
    del reader
    say({"Ended": {"read": read, "missed": missed, "first": first, "last": last}})
    sys.stdin.read()
    # Reader and writer are gone; the last table is not.
    if kept is not None:
        check_equal(kept, wanted)


def emit(role: dict) -> None:
    with open_writer(role["ring"]) as writer:
        say({"Open": {"next": writer.get_stats()["frames_published"], "millis": 0}})
        sys.stdin.readline()
        for table in tables_of(role["file"]):
            writer.write_arrow(table)


def echo(role: dict) -> None:
    reader = open_reader(role["from"])
    with open_writer(role["to"]) as writer:
        say({"Open": {"next": 0, "millis": 0}})
        for frame in reader.frames():
            writer.write_arrow(frame.to_arrow())
            del frame


def send(role: dict) -> None:
    rows, chunk = role["rows"], role["chunk"]
    ring = role["ring"]
    stream = qadataswap.SharedDataStream.create_writer(
        ring["name"], buffer_count=ring["slots"], slot_bytes=ring["slot_bytes"], total_rows=rows, **options(ring)
    )
    try:
        with stream:
            say({"Open": {"next": 0, "millis": 0}})
            for first in range(0, rows, chunk):
                if role["fail"] and first >= rows // 2:
                    raise LookupError("on purpose")
                stream.write_chunk(pa.table({"n": pa.array(range(first, min(first + chunk, rows)), pa.int64())}))
    except LookupError:
        pass


def take(role: dict) -> None:
    ring = role["ring"]
    stream = qadataswap.SharedDataStream.create_reader(
        ring["name"], attach_timeout_ms=ring["attach_ms"], **options(ring)
    )
    say({"Open": {"next": 0, "millis": 0}})
    rows, aborted = 0, 0
    try:
        for frame in stream.frames():
            numbers = frame.to_arrow().column("n").to_pylist()
            if numbers != list(range(rows, rows + len(numbers))):
                raise ValueError(f"{numbers} instead of what follows {rows}")
            rows += len(numbers)
            del frame
    except qadataswap.AbortedError as error:
        if "on purpose" not in str(error):
            raise
        aborted = 1
    total = stream.progress().total_rows or 0
    stream.close()
    for what, number in {"rows": rows, "total": total, "aborted": aborted}.items():
        say({"Fact": [what, number]})


ROLES = {
    "Compare": compare,
    "Emit": emit,
    "Echo": echo,
    "Send": send,
    "Take": take,
    "Write": lambda role: stream.write(role, open_writer, say),
    "Follow": lambda role: stream.follow(role, open_reader, say),
    "Record": lambda role: stream.record(role, options, say),
}


def main() -> int:
    ((name, role),) = json.loads(sys.argv[1]).items()
    try:
        ROLES[name](role)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
        say({"Fault": f"{type(error).__name__}: {error}"})
        return 1
    say("Done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
