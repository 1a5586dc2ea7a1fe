"""Rings without a name, handed from process to process as descriptors."""

import os
import socket
import subprocess
import sys
from multiprocessing import get_context, reduction
from pathlib import Path

import polars as pl
import pytest

import qadataswap
from qadataswap import SharedDataStream

READ_ALL = """
import os, sys, qadataswap
fd = int(sys.argv[1])
with qadataswap.create_reader(fd=fd) as reader:
    os.close(fd)
    print(reader.name, flush=True)
    for table in reader:
        print(table["a"].to_list(), flush=True)
"""

WRITE_AND_STAY = """
import socket, sys, time, polars, qadataswap
ring = qadataswap.create_writer(sys.argv[1], 4, size_mb=1, memfd=True)
ring.write(polars.DataFrame({"a": [1, 2]}))
with socket.socket(socket.AF_UNIX) as keeper:
    keeper.connect("\\0" + sys.argv[1])
    socket.send_fds(keeper, [b"Q"], [ring.fileno()])
print("sent", flush=True)
sys.stdin.read()
"""


def descriptors_of(name):
    """This process's descriptors of rings of that name."""
    links = (os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
    return sum(link == f"/memfd:qads_{name} (deleted)" for link in links)


def test_a_child_inherits_a_ring_that_is_in_no_folder(ring):
    with qadataswap.create_writer(ring, 4, size_mb=1, memfd=True) as writer:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        fd = writer.fileno()
        with subprocess.Popen(
            [sys.executable, "-c", READ_ALL, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE, text=True, env=environment
        ) as child:
            assert child.stdout.readline() == f"{ring}\n"
            assert not [path for path in Path("/dev/shm").iterdir() if ring in path.name]
            writer.write(pl.DataFrame({"a": [1, 2]}))
            writer.write(pl.DataFrame({"a": [3]}))
            writer.close()
            assert child.stdout.read() == "[1, 2]\n[3]\n"
        assert child.returncode == 0
    assert descriptors_of(ring) == 0
    with pytest.raises(qadataswap.ClosedError):
        writer.fileno()


def test_a_ring_comes_over_a_socket_and_survives_its_killed_writer(ring, python):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + ring)
        listener.listen()
        child = python(WRITE_AND_STAY, ring)
        listener.settimeout(30)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            _, [fd], _, _ = socket.recv_fds(connection, 1, 1)
    assert child.stdout.readline() == "sent\n"
    reader = qadataswap.create_reader(fd=fd)
    with pytest.raises(qadataswap.WriterExistsError):
        qadataswap.create_writer(fd=fd)
    child.kill()
    assert reader.read(30_000)["a"].to_list() == [1, 2]
    with pytest.raises(qadataswap.WriterDiedError):
        reader.read(30_000)
    with qadataswap.create_writer(fd=fd) as heir:
        assert heir.name == ring
        heir.write(pl.DataFrame({"a": [3]}))
        assert reader.read(30_000)["a"].to_list() == [3]
    reader.close()
    os.close(fd)
    assert descriptors_of(ring) == 0


def _read_one(connection, results):
    fd = reduction.recv_handle(connection)
    with qadataswap.create_reader("theirs", fd=fd) as reader:
        os.close(fd)
        results.send((reader.name, reader.read(30_000)["a"].to_list()))


def test_multiprocessing_hands_it_over(ring):
    context = get_context("spawn")
    here, there = context.Pipe()
    results, tell = context.Pipe(duplex=False)
    with qadataswap.create_writer(ring, 4, size_mb=1, memfd=True) as writer:
        writer.write(pl.DataFrame({"a": [7]}))
        child = context.Process(target=_read_one, args=(there, tell))
        child.start()
        reduction.send_handle(here, writer.fileno(), child.pid)
        assert results.poll(60)
        assert results.recv() == ("theirs", [7])
        child.join(60)
        assert child.exitcode == 0


def test_a_stream_needs_no_name_either(ring):
    with SharedDataStream.create_writer(ring, 1, 4, memfd=True, total_rows=2) as writer:
        reader = SharedDataStream.create_reader(fd=writer._frames)
        writer.write_chunk(pl.DataFrame({"a": [1, 2]}))
    assert [chunk["a"].to_list() for chunk in reader.iter_chunks()] == [[1, 2]]
    reader.close()


def test_the_last_handle_frees_it_though_frames_outlive_all_handles(ring):
    writer = qadataswap.create_writer(ring, 4, size_mb=1, memfd=True)
    reader = qadataswap.create_reader(fd=writer)
    writer.write(pl.DataFrame({"a": [1]}))
    frame = reader.read_frame(1000)
    writer.close()
    reader.close()
    assert descriptors_of(ring) > 0, "the frame keeps it"
    assert frame.to_polars()["a"].to_list() == [1]
    del frame, reader, writer
    assert descriptors_of(ring) == 0


def test_what_is_no_ring_without_a_name_is_refused(ring, tmp_path):
    with qadataswap.create_writer(ring, size_mb=1) as named:
        with pytest.raises(qadataswap.InvalidConfigError, match="it has a name"):
            named.fileno()
    unsealed = os.memfd_create("qads_open", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(tmp_path / "file", "wb+") as file:
        for fd in (unsealed, file, 0):
            with pytest.raises(qadataswap.InvalidConfigError, match="sealed"):
                qadataswap.create_reader(fd=fd)
    os.close(unsealed)
    with pytest.raises(qadataswap.IoError, match="Bad file descriptor"):
        qadataswap.create_reader(fd=unsealed)
    with pytest.raises(qadataswap.InvalidConfigError, match="no descriptor"):
        qadataswap.create_writer(fd=-1)
    with pytest.raises(TypeError, match="fileno"):
        qadataswap.create_reader(fd="3")
    with pytest.raises(TypeError, match="fd="):
        qadataswap.create_reader()
    with pytest.raises(TypeError, match="fd="):
        qadataswap.create_writer()


def test_an_heir_may_not_ask_for_another_size(ring):
    with qadataswap.create_writer(ring, 4, size_mb=1, memfd=True) as writer:
        fd = os.dup(writer.fileno())
    with pytest.raises(qadataswap.InvalidConfigError, match="it has 4 buffers of 262144 bytes for 64 readers"):
        qadataswap.create_writer(ring, 5, fd=fd)
    qadataswap.create_writer(ring, 4, size_mb=1, fd=fd).close()
    os.close(fd)
