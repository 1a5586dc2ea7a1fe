"""Recordings: written by the ring, read as they were written, followed into the ring, and what death leaves."""

import asyncio
import datetime
import gc
import os
import pickle
import signal
import threading
import time

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest
from polars.testing import assert_frame_equal
from test_processes import in_child

import qadataswap
import tables
from qadataswap import aio


def numbered(number):
    return pl.DataFrame({"n": [number]})


def numbers(source):
    return [table["n"].item() for table in source]


def sequences(frames):
    return [frame.sequence for frame in frames]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "recording"


@pytest.fixture
def writer(ring):
    with qadataswap.create_writer(ring, 4, size_mb=4) as writer:
        yield writer


def record(writer, folder, those, **options):
    """Records these numbers, each a frame, one after the other."""
    with qadataswap.Recorder(writer.name, folder, **options) as recorder:
        while recorder.record(0) is not None:
            pass
        for number in those:
            writer.write(numbered(number))
            recorded = recorder.record(5000)
            assert recorded.rows == 1
    return recorded


def test_recorded_tables_are_what_was_written(writer, folder):
    written = [tables.trades(), tables.trades(3, 7), tables.gallery().head(2), pl.DataFrame()]
    with qadataswap.Recorder(writer.name, folder) as recorder:
        for sequence, table in enumerate(written):
            writer.write(table)
            recorded = recorder.record(5000)
            assert (recorded.sequence, recorded.rows, recorded.missed) == (sequence, len(table), 0)
        assert recorder.record(0) is None
        stats = recorder.get_stats()
        assert (stats["frames"], stats["rows"], stats["missed"]) == (4, sum(map(len, written)), 0)
    recording = qadataswap.Recording(folder)
    for read, table in zip(recording, written):
        assert_frame_equal(read, table)
    frames = list(recording.frames())
    assert sequences(frames) == [0, 1, 2, 3]
    assert frames[0].to_arrow().equals(pa.table(written[0]))
    assert [frame.missed for frame in frames] == [0] * 4
    assert frames[0].bytes_copied == 0


def test_files_are_arrow_streams_of_every_library(writer, folder):
    record(writer, folder, range(4), rotate_bytes=1)
    files = qadataswap.Recording(folder).files()
    assert [file["file"] for file in files] == [1, 2, 3, 4]
    for number, file in enumerate(files):
        assert_frame_equal(pl.read_ipc_stream(file["path"]), numbered(number))
        assert pa.ipc.open_stream(file["path"]).read_all()["n"].to_pylist() == [number]


def test_what_pyarrow_wrote_is_recorded_as_it_was(writer, folder):
    columns = tables.arrays()
    table = pa.table(list(columns.values()), list(columns))
    with qadataswap.Recorder(writer.name, folder) as recorder:
        writer.write_arrow(table)
        recorder.record(5000)
    (frame,) = qadataswap.Recording(folder).frames()
    assert frame.to_arrow().equals(table)
    assert pa.ipc.open_stream(folder / "00000001.arrows").read_all().equals(table)


def test_a_frame_outlives_its_files(writer, folder):
    record(writer, folder, [7])
    (frame,) = qadataswap.Recording(folder, validation="full").frames()
    for path in folder.iterdir():
        path.unlink()
    assert frame.to_polars()["n"].item() == 7


def test_summary_and_files_tell_what_is_there(writer, folder):
    before = datetime.datetime.now(datetime.timezone.utc)
    record(writer, folder, range(3))
    for number in range(6):
        writer.write(numbered(number))  # unrecorded, and the ring has four buffers
    with qadataswap.Recorder(writer.name, folder) as recorder:
        recording = qadataswap.Recording(folder)
        assert recording.is_live and recording.summary()["is_live"]
        recorded = recorder.record(5000)
        assert (recorded.missed, recorded.file) == (recorded.sequence - 3, 2)
        assert recorder.run(0) is False
    assert not recording.is_live
    summary = recording.summary()
    missed = recorded.missed
    assert missed > 0
    assert (summary["ring"], summary["files"], summary["frames"], summary["rows"]) == (writer.name, 2, 9 - missed, 9 - missed)
    assert (summary["first_sequence"], summary["last_sequence"]) == (0, 8)
    assert (summary["missed"], summary["damaged"], summary["is_live"]) == (missed, 0, False)
    files = recording.files()
    assert [(file["first_sequence"], file["last_sequence"]) for file in files] == [(0, 2), (3 + missed, 8)]
    assert [file["missed"] for file in files] == [0, missed]
    assert summary["bytes"] == sum(os.path.getsize(file["path"]) for file in files)
    slack = datetime.timedelta(milliseconds=5)
    assert before - slack <= summary["first_at"] <= summary["last_at"] <= datetime.datetime.now(datetime.timezone.utc) + slack
    assert len(pl.DataFrame(files)) == 2


def test_a_place_is_found_by_sequence(writer, folder):
    record(writer, folder, range(6), rotate_bytes=1)
    recording = qadataswap.Recording(folder)
    for since in range(8):
        assert sequences(recording.frames(since)) == list(range(since, 6))
    assert numbers(recording.tables(since=4)) == [4, 5]
    assert numbers(recording.tables()) == numbers(recording) == list(range(6))


def test_a_place_is_found_by_time_in_every_form(writer, folder):
    with qadataswap.Recorder(writer.name, folder) as recorder:
        for number in range(6):
            writer.write(numbered(number))
            recorder.record(5000)
            time.sleep(0.003)
    recording = qadataswap.Recording(folder)
    times = [frame.published_at for frame in recording.frames()]
    assert times == sorted(times) and times[0].tzinfo is not None
    for since, at in enumerate(times):
        zone = at.astimezone(datetime.timezone(datetime.timedelta(hours=8)))
        local = at.astimezone().replace(tzinfo=None)
        for form in (at, zone, local, at.timestamp() - 1e-6):
            assert sequences(recording.frames(form)) == list(range(since, 6)), form
        assert sequences(recording.frames(at + datetime.timedelta(milliseconds=1))) == list(range(since + 1, 6))
    assert sequences(recording.frames(datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone.utc))) == list(range(6))
    assert sequences(recording.frames(-1.0)) == list(range(6))
    assert sequences(recording.frames(1e12)) == []


def test_places_that_are_none_are_refused(writer, folder):
    record(writer, folder, [0])
    recording = qadataswap.Recording(folder)
    for wrong in ("yesterday", True, datetime.date(2026, 1, 1), [1], 1j):
        with pytest.raises(TypeError, match="since"):
            recording.frames(wrong)
        with pytest.raises(TypeError, match="since"):
            recording.follow(writer.name, wrong)
    for wrong in (float("nan"), float("inf"), 1e300):
        with pytest.raises(ValueError, match="since"):
            recording.frames(wrong)
    with pytest.raises(OverflowError):
        recording.frames(-1)


def test_options_that_are_none_are_refused(writer, folder, tmp_path):
    for wrong in ({"sync": "always"}, {"sync": 0}, {"rotate_seconds": -1}, {"rotate_seconds": float("nan")}, {"policy": "some"}):
        with pytest.raises(qadataswap.InvalidConfigError):
            qadataswap.Recorder(writer.name, folder, **wrong)
    for wrong in ({"sync": 1.5}, {"sync": []}, {"rotate_bytes": "1"}):
        with pytest.raises(TypeError):
            qadataswap.Recorder(writer.name, folder, **wrong)
    with pytest.raises(qadataswap.InvalidConfigError, match="validation"):
        qadataswap.Recording(tmp_path, validation="some")
    with pytest.raises(qadataswap.IoError) as raised:
        qadataswap.Recording(tmp_path / "nowhere")
    assert raised.value.errno == 2


@pytest.mark.parametrize("sync", ["never", "rotate", "Rotate", 1, 3])
def test_recorders_sync_as_told(writer, folder, sync):
    record(writer, folder, range(3), sync=sync)
    assert numbers(qadataswap.Recording(folder)) == [0, 1, 2]


def test_a_new_file_begins_after_a_time(writer, folder):
    with qadataswap.Recorder(writer.name, folder, rotate_seconds=0.001) as recorder:
        for number in range(3):
            writer.write(numbered(number))
            recorder.record(5000)
            time.sleep(0.002)
        assert recorder.get_stats()["files"] == 3


def test_the_iterator_goes_on_with_what_has_come_since(writer, folder):
    with qadataswap.Recorder(writer.name, folder) as recorder:
        frames = None
        for number in range(3):
            writer.write(numbered(number))
            recorder.record(5000)
            frames = frames or qadataswap.Recording(folder).frames()
            assert sequences(frames) == [number]


@pytest.mark.parametrize("ending", ["del recorder", "pass", "raise SystemExit(0)"])
def test_a_forgotten_recorder_finishes_its_file(writer, folder, python, ending):
    writer.write(numbered(0))
    code = f"import sys, qadataswap; recorder = qadataswap.Recorder(*sys.argv[1:]); recorder.run(0); {ending}"
    process = python(code, writer.name, folder)
    assert process.communicate(timeout=60)[0] == "" and process.returncode == 0
    assert (folder / "00000001.arrows").read_bytes().endswith(b"\xff\xff\xff\xff\0\0\0\0")
    assert qadataswap.Recording(folder).repair() == (0, 0)


def test_one_recorder_at_a_time(writer, folder):
    with qadataswap.Recorder(writer.name, folder) as recorder:
        assert (recorder.name, recorder.folder, recorder.closed) == (writer.name, str(folder), False)
        with pytest.raises(qadataswap.InvalidConfigError, match="another process"):
            qadataswap.Recorder(writer.name, folder)
        with pytest.raises(qadataswap.InvalidConfigError):
            qadataswap.Recording(folder).repair()
    assert recorder.closed
    recorder.close()
    for call in (recorder.record, recorder.run, recorder.get_stats, recorder.attach_again):
        with pytest.raises(qadataswap.ClosedError):
            call()


def test_a_recorder_runs_to_the_end_of_the_stream(ring, folder):
    writer = qadataswap.create_writer(ring, 4, size_mb=1)
    recorder = qadataswap.Recorder(ring, folder)
    ended = []
    running = threading.Thread(target=lambda: ended.append(recorder.run()))
    running.start()
    for number in range(50):
        writer.write(numbered(number))
    writer.close()
    running.join(60)
    assert ended == [True]
    recorder.close()
    assert numbers(qadataswap.Recording(folder)) == list(range(50))


def test_a_recorder_waits_for_its_ring(ring, folder):
    began = time.monotonic()
    with pytest.raises(qadataswap.NotFoundError):
        qadataswap.Recorder(ring, folder, attach_timeout_ms=30)
    assert time.monotonic() - began >= 0.03
    opened = []
    waiting = threading.Thread(target=lambda: opened.append(qadataswap.Recorder(ring, folder, attach_timeout_ms=-1)))
    waiting.start()
    with qadataswap.create_writer(ring, 4, size_mb=1) as writer:
        waiting.join(60)
        writer.write(numbered(1))
        assert opened[0].record(5000).sequence == 0
        opened[0].close()


def test_a_recorder_goes_on_with_the_next_life_of_its_ring(ring, folder):
    first = qadataswap.create_writer(ring, 4, size_mb=1)
    recorder = qadataswap.Recorder(ring, folder)
    first.write(numbered(0))
    assert recorder.record(5000).file == 1
    first.close()
    with qadataswap.create_writer(ring, 5, size_mb=1) as second:
        with pytest.raises((qadataswap.ReplacedError, qadataswap.EndOfStreamError)):
            recorder.record(5000)
        recorder.attach_again()
        second.write(numbered(10))
        assert recorder.record(5000).file == 2
        recorder.close()
        frames = qadataswap.Recording(folder).frames()
        assert next(frames).sequence == 0
        with pytest.raises(qadataswap.ReplacedError):
            next(frames)
        assert next(frames).to_polars()["n"].item() == 10


@pytest.mark.parametrize("since", [None, 0, 3, 8, 9, datetime.datetime(2000, 1, 1), 0.0])
def test_follow_passes_into_the_ring_without_gap_or_twice(writer, folder, since):
    with qadataswap.Recorder(writer.name, folder, rotate_bytes=1000) as recorder:
        for number in range(8):
            writer.write(numbered(number))
            recorder.record(5000)
        writer.write(numbered(8))
        with qadataswap.Recording(folder).follow(writer.name, since) as follow:
            first = since if type(since) is int else 0
            assert not follow.is_live
            for number in range(first, 9):
                frame = follow.read_frame(5000)
                assert (frame.sequence, frame.missed, frame.to_polars()["n"].item()) == (number, 0, number)
                del frame
            assert follow.read_frame(10) is None
            assert follow.is_live
            writer.write(numbered(9))
            recorder.record(5000)
            assert follow.try_read_arrow()["n"].to_pylist() == [9]
            assert follow.try_read() is None and follow.try_read_frame() is None


def test_follow_keeps_up_with_a_writer_that_does_not_pause(ring, folder):
    with qadataswap.create_writer(ring, 8, size_mb=1) as writer, qadataswap.Recorder(ring, folder) as recorder:
        running = threading.Thread(target=recorder.run)
        running.start()
        for number in range(100):
            writer.write(numbered(number))
        follows = [qadataswap.Recording(folder).follow(ring, since) for since in (None, 0, 50)]
        read = [[] for _ in follows]

        def go_on(follow, into):
            into.extend(numbers(follow))

        going = [threading.Thread(target=go_on, args=pair) for pair in zip(follows, read)]
        for thread in going:
            thread.start()
        for number in range(100, 600):
            writer.write(numbered(number))
        tables.eventually(lambda: all(follow.is_live for follow in follows))
        for number in range(600, 700):
            writer.write(numbered(number))
        writer.close()
        for thread in going + [running]:
            thread.join(60)
    assert read == [list(range(since, 700)) for since in (0, 0, 50)]
    for follow in follows:
        follow.close()


def test_frames_that_are_nowhere_are_named(writer, folder):
    record(writer, folder, range(3))
    for number in range(3, 20):
        writer.write(numbered(number))
    with qadataswap.Recording(folder).follow(writer.name) as follow:
        assert numbers(follow.read() for _ in range(3)) == [0, 1, 2]
        with pytest.raises(qadataswap.MissingFramesError, match="frames 3 to 15") as raised:
            follow.read(5000)
        assert (raised.value.first, raised.value.last, raised.value.kind) == (3, 15, "Io")
        assert isinstance(raised.value, (qadataswap.IoError, OSError))
        again = pickle.loads(pickle.dumps(raised.value))
        assert (type(again), again.first, again.last) == (qadataswap.MissingFramesError, 3, 15)
        frame = follow.read_frame(5000)
        assert (frame.sequence, frame.missed) == (16, 13)


def test_following_a_ring_that_is_gone_ends(ring, folder):
    with qadataswap.create_writer(ring, 4, size_mb=1) as writer:
        record(writer, folder, range(2))
    follow = qadataswap.Recording(folder).follow(ring)
    assert follow.name == ring
    assert numbers(follow.read(0) for _ in range(2)) == [0, 1]
    with pytest.raises((qadataswap.NotFoundError, qadataswap.EndOfStreamError)):
        follow.read(5000)
    follow.close()
    follow.close()
    assert follow.closed
    for call in (follow.read, follow.try_read_frame, follow.read_arrow):
        with pytest.raises(qadataswap.ClosedError):
            call()


def test_closing_ends_a_wait_of_another_thread(writer, folder):
    record(writer, folder, [0])
    follow = qadataswap.Recording(folder).follow(writer.name, since=1)
    raised = []

    def wait():
        try:
            follow.read()
        except qadataswap.ClosedError as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    tables.eventually(lambda: follow.is_live)
    follow.close()
    waiting.join(60)
    assert len(raised) == 1


def test_follow_with_asyncio(writer, folder):
    record(writer, folder, range(3))

    async def main():
        with qadataswap.Recording(folder).follow(writer.name) as follow:
            assert [(await follow.read_async())["n"].item() for _ in range(3)] == [0, 1, 2]
            assert await follow.read_async(20) is None
            for number in range(3, 8):
                # Given up again and again: none is lost.
                waiting = asyncio.ensure_future(aio.read_frame(follow))
                await asyncio.sleep(0.005)
                waiting.cancel()
                writer.write(numbered(number))
                frame = await aio.read_frame(follow, 20_000)
                assert frame.sequence == number
                del frame
            writer.write(numbered(8))
            writer.close()
            return [table["n"].item() async for table in follow]

    assert asyncio.run(asyncio.wait_for(main(), 60)) == [8]


def test_torn_tail_is_passed_over_and_mended(writer, folder):
    record(writer, folder, range(3))
    data = folder / "00000001.arrows"
    whole = data.read_bytes()
    data.write_bytes(whole[:-70])
    recording = qadataswap.Recording(folder)
    assert numbers(recording) == [0, 1]
    with pytest.raises((pa.ArrowInvalid, OSError)):
        pa.ipc.open_stream(data).read_all()
    cut = recording.repair()
    assert cut[0] > 0 and cut[1] == 64
    assert recording.repair() == (0, 0)
    assert pa.ipc.open_stream(data).read_all()["n"].to_pylist() == [0, 1]
    assert numbers(recording) == [0, 1]
    # The ring has the third frame still: a recorder fetches what was torn.
    with qadataswap.Recorder(writer.name, folder) as recorder:
        assert recorder.record(5000).sequence == 2
    assert numbers(recording) == [0, 1, 2]


def test_damage_is_an_error_and_reading_goes_on_behind_it(writer, folder):
    record(writer, folder, range(3))
    index = (folder / "00000001.index").read_bytes()
    second = int.from_bytes(index[512 + 64 + 24 : 512 + 64 + 32], "little")
    data = bytearray((folder / "00000001.arrows").read_bytes())
    data[second + 100] ^= 1
    (folder / "00000001.arrows").write_bytes(data)
    frames = qadataswap.Recording(folder).frames()
    assert next(frames).sequence == 0
    with pytest.raises(qadataswap.CorruptError, match="checksum"):
        next(frames)
    frame = next(frames)
    assert (frame.sequence, frame.missed) == (2, 1)


def test_a_killed_recorder_is_resumed(writer, folder, python):
    code = """
import sys, qadataswap
recorder = qadataswap.Recorder(sys.argv[1], sys.argv[2], rotate_bytes=4000)
print(-1, flush=True)
while True:
    print(recorder.record().sequence, flush=True)
"""
    number = 0
    for _ in range(3):
        process = python(code, writer.name, folder)
        assert process.stdout.readline() == "-1\n"
        assert qadataswap.Recording(folder).is_live
        for _ in range(10):
            writer.write(numbered(number))
            number += 1
        while int(process.stdout.readline()) < number - 1:
            pass
        process.kill()
        process.wait()
        assert numbers(qadataswap.Recording(folder)) == list(range(number))
        # These two stay in the ring for the next one.
        for _ in range(2):
            writer.write(numbered(number))
            number += 1
    with qadataswap.Recorder(writer.name, folder) as recorder:
        assert recorder.run(0) is False
    recording = qadataswap.Recording(folder)
    assert numbers(recording) == list(range(number))
    summary = recording.summary()
    assert (summary["missed"], summary["damaged"]) == (0, 0)
    assert pl.concat([pl.read_ipc_stream(file["path"]) for file in recording.files()])["n"].to_list() == list(range(number))


@pytest.mark.parametrize(
    "call",
    [
        "qadataswap.Recorder(name, folder).record()",
        "qadataswap.Recorder(name, folder).run()",
        "qadataswap.Recorder(name + '-none', folder + '-other', attach_timeout_ms=-1)",
        "qadataswap.Recording(folder).follow(name, since=3).read_frame()",
        "list(qadataswap.Recording(folder).follow(name, since=3).frames())",
        "qadataswap.Recording(folder).follow(name + '-none', since=3, attach_timeout_ms=-1).read_frame()",
    ],
)
def test_ctrl_c_interrupts_every_wait(writer, folder, python, call):
    record(writer, folder, range(3))
    code = f"""
import sys, qadataswap
name, folder = sys.argv[1:]
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = python(code, writer.name, folder)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "interrupted\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_is_refused_and_leaves_its_parents_files_alone(writer, folder):
    record(writer, folder, [0])
    recording = qadataswap.Recording(folder)
    frames = recording.frames()
    follow = recording.follow(writer.name)
    kept = [qadataswap.Recorder(writer.name, folder)]
    writer.write(numbered(1))
    assert kept[0].record(5000).sequence == 1

    assert in_child(lambda: next(frames)) == "ForkedError"
    for call in (follow.read, follow.try_read_frame, kept[0].record, kept[0].run, kept[0].get_stats, kept[0].attach_again):
        assert in_child(call) == "ForkedError"
    assert in_child(lambda: (follow.close(), kept[0].close())) == "(None, None)"
    # The folder itself is anybody's.
    assert in_child(lambda: numbers(recording)) == "[0, 1]"

    def drop():
        kept.clear()
        gc.collect()
        return "dropped"

    writer.write(numbered(2))
    assert in_child(drop) == "dropped"
    assert recording.is_live
    with pytest.raises(qadataswap.InvalidConfigError):
        qadataswap.Recorder(writer.name, folder)
    assert kept[0].record(5000).sequence == 2
    kept[0].close()
    assert numbers(frame.to_polars() for frame in frames) == [0, 1, 2]
    assert numbers(follow.read(5000) for _ in range(3)) == [0, 1, 2]
    follow.close()


def test_waits_let_other_threads_run(writer, folder):
    record(writer, folder, [0])
    follow = qadataswap.Recording(folder).follow(writer.name, since=1)
    read = []
    waiting = threading.Thread(target=lambda: read.append(follow.read(20_000)))
    waiting.start()
    tables.eventually(lambda: follow.is_live)
    writer.write(numbered(1))
    waiting.join(60)
    assert numbers(read) == [1]
    follow.close()
