"""What else hands a Polars frame to another process. Nothing of the product needs what these need."""

from __future__ import annotations

import contextlib
import mmap
import os
import pathlib
import sys
from multiprocessing import shared_memory
from multiprocessing.connection import Connection

import numpy as np
import polars as pl
from ways import Way

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "target" / "rivals"))

with contextlib.suppress(ImportError):
    import pyarrow as pa


def ipc_bytes(frame: pl.DataFrame) -> tuple[pa.Table, int]:
    table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    sink = pa.MockOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return table, sink.size()


def write_ipc(table: pa.Table, sink: object) -> None:
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)


def read_ipc(source: object) -> pl.DataFrame:
    return pl.from_arrow(pa.ipc.open_stream(source).read_all())


class Mapping(Way):
    """Arrow IPC into one mapping that is used again; nobody guards it."""

    name = "Arrow IPC in a reused mapping"
    needs = ("pyarrow",)

    def open_sender(self, frame: pl.DataFrame) -> None:
        _, size = ipc_bytes(frame)
        self.path = f"/dev/shm/{self.label}"
        with open(self.path, "wb") as file:
            file.truncate(size)
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), size)
        self.buffer = pa.py_buffer(memoryview(self.map))

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
        write_ipc(table, pa.FixedSizeBufferWriter(self.buffer))
        pipe.send_bytes(b"1")

    def receive(self, pipe: Connection) -> pl.DataFrame:
        pipe.recv_bytes()
        if not hasattr(self, "seen"):
            self.seen = pa.memory_map(f"/dev/shm/{self.label}")
        self.seen.seek(0)
        return read_ipc(self.seen)

    def close(self) -> None:
        os.unlink(self.path)


class File(Way):
    """Arrow IPC file in /dev/shm, memory-mapped by the receiver."""

    name = "Arrow IPC file in /dev/shm"
    needs = ("pyarrow",)

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        frame.write_ipc(f"/dev/shm/{self.label}", compat_level=pl.CompatLevel.newest())
        pipe.send_bytes(b"1")

    def receive(self, pipe: Connection) -> pl.DataFrame:
        pipe.recv_bytes()
        return pl.from_arrow(pa.ipc.open_file(pa.memory_map(f"/dev/shm/{self.label}")).read_all())

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"/dev/shm/{self.label}")


class Pickle(Way):
    name = "pickle over a pipe"

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        pipe.send(frame)

    def receive(self, pipe: Connection) -> pl.DataFrame:
        return pipe.recv()


class SharedNumpy(Way):
    """multiprocessing.shared_memory, a block per frame, one array per column."""

    name = "shared_memory + NumPy"

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        columns, at = [], 0
        for column in frame.get_columns():
            values = column.to_physical().to_numpy()
            if column.dtype == pl.String:
                values = values.astype("U")
            columns.append((column.name, column.dtype, values))
            at += values.nbytes
        memory = shared_memory.SharedMemory(create=True, size=max(at, 1))
        told, at = [], 0
        for name, dtype, values in columns:
            place = np.ndarray(values.shape, values.dtype, memory.buf, at)
            place[:] = values
            told.append((name, dtype, values.dtype.str, at))
            at += values.nbytes
            del place
        pipe.send((memory.name, len(frame), told))
        memory.close()

    def receive(self, pipe: Connection) -> pl.DataFrame:
        name, rows, told = pipe.recv()
        memory = shared_memory.SharedMemory(name)
        columns = {}
        for column, dtype, kind, at in told:
            values = np.ndarray(rows, kind, memory.buf, at)
            # Polars takes numbers by copying; a view would outlive the block.
            series = pl.Series(column, values.astype(object) if kind[1] == "U" else values.copy())
            columns[column] = series.cast(dtype)
            del values
        memory.close()
        memory.unlink()
        return pl.DataFrame(columns)


class Socket(Way):
    name = "Arrow IPC over a Unix socket"
    needs = ("pyarrow",)

    def open_sender(self, frame: pl.DataFrame) -> None:
        import socket

        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind("\0" + self.label)
        self.listener.listen(1)
        self.stream = None

    def open_receiver(self) -> None:
        import socket

        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect("\0" + self.label)
        self.stream = self.socket.makefile("rb", buffering=1 << 20)

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        if self.stream is None:
            self.stream = self.listener.accept()[0].makefile("wb", buffering=1 << 20)
        write_ipc(frame.to_arrow(compat_level=pl.CompatLevel.newest()), self.stream)
        self.stream.flush()

    def receive(self, pipe: Connection) -> pl.DataFrame:
        return read_ipc(self.stream)


class ZeroMq(Way):
    name = "ZeroMQ, Arrow IPC"
    needs = ("pyarrow", "zmq")

    def open_sender(self, frame: pl.DataFrame) -> None:
        import zmq

        self.socket = zmq.Context.instance().socket(zmq.PUSH)
        self.socket.bind(f"ipc:///tmp/{self.label}")

    def open_receiver(self) -> None:
        import zmq

        self.socket = zmq.Context.instance().socket(zmq.PULL)
        self.socket.connect(f"ipc:///tmp/{self.label}")

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        sink = pa.BufferOutputStream()
        write_ipc(frame.to_arrow(compat_level=pl.CompatLevel.newest()), sink)
        self.socket.send(sink.getvalue(), copy=False)

    def receive(self, pipe: Connection) -> pl.DataFrame:
        return read_ipc(pa.py_buffer(self.socket.recv(copy=False).buffer))

    def close(self) -> None:
        self.socket.close(0)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"/tmp/{self.label}")


class Iceoryx(Way):
    """Arrow IPC written into a loan of iceoryx2; a byte through a pipe wakes the receiver."""

    name = "iceoryx2, Arrow IPC in its loan"
    needs = ("pyarrow", "iceoryx2")

    def service(self) -> object:
        import ctypes

        import iceoryx2

        self.node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        name = iceoryx2.ServiceName.new(self.label)
        return self.node.service_builder(name).publish_subscribe(iceoryx2.Slice[ctypes.c_uint8]).open_or_create()

    def open_sender(self, frame: pl.DataFrame) -> None:
        _, self.size = ipc_bytes(frame)
        self.sender = self.service().publisher_builder().initial_max_slice_len(self.size).create()

    def open_receiver(self) -> None:
        self.receiver = self.service().subscriber_builder().create()

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
        sample = self.sender.loan_slice_uninit(self.size)
        place = pa.foreign_buffer(sample.payload().data_ptr, self.size)
        write_ipc(table, pa.FixedSizeBufferWriter(mutable(place)))
        sample.assume_init().send()
        pipe.send_bytes(b"1")

    def receive(self, pipe: Connection) -> pl.DataFrame:
        pipe.recv_bytes()
        self.sample = self.receiver.receive()
        payload = self.sample.payload()
        return read_ipc(pa.foreign_buffer(payload.data_ptr, payload.number_of_elements, self.sample))


def mutable(buffer: pa.Buffer) -> pa.Buffer:
    """The same memory, to be written to."""
    import ctypes

    return pa.py_buffer((ctypes.c_uint8 * buffer.size).from_address(buffer.address))


class Flight(Way):
    """Arrow Flight on the loopback device: the receiver serves, the sender puts."""

    name = "Arrow Flight"
    needs = ("pyarrow",)

    def open_receiver(self) -> None:
        import queue

        import pyarrow.flight as flight

        self.tables = tables = queue.Queue()

        class Server(flight.FlightServerBase):
            def do_put(self, context, descriptor, reader, writer):
                tables.put(reader.read_all())

        self.server = Server("grpc://127.0.0.1:0")

    def opened(self) -> object:
        return self.server.port

    def connect(self, port: object) -> None:
        import pyarrow.flight as flight

        self.client = flight.connect(f"grpc://127.0.0.1:{port}")

    def send(self, frame: pl.DataFrame, pipe: Connection) -> None:
        import pyarrow.flight as flight

        table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
        writer, _ = self.client.do_put(flight.FlightDescriptor.for_path("x"), table.schema)
        writer.write_table(table, max_chunksize=1_000_000)
        writer.close()

    def receive(self, pipe: Connection) -> pl.DataFrame:
        return pl.from_arrow(self.tables.get())


RIVALS = [Iceoryx, Mapping, File, Socket, ZeroMq, Flight, SharedNumpy, Pickle]
