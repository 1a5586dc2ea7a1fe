"""What crosses a process: reading, signals, forks, spawned children, death; and what crosses threads."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import qadataswap
import tables

WRITER = """
import sys, time, polars as pl, qadataswap
name, count = sys.argv[1], int(sys.argv[2])
with qadataswap.create_writer(name, 4, size_mb=4, write_timeout_ms=-1) as writer:
    print("ready", flush=True)
    while writer.reader_count() == 0:
        time.sleep(0.001)
    number = 0
    while number != count:
        writer.write(pl.DataFrame({"n": [number] * 1000, "s": [f"frame number {number}"] * 1000}))
        number += 1
"""
READER = """
import sys, qadataswap
with qadataswap.create_reader(sys.argv[1], attach_timeout_ms=20000) as reader:
    print("ready", flush=True)
    kept = []
    for number, table in enumerate(reader):
        kept = (kept + [table])[-2:]
        assert table["n"].n_unique() == 1 and table["s"][999] == f"frame number {table['n'][0]}"
    print(number + 1, flush=True)
"""


def check(table, number):
    assert table["n"].to_list() == [number] * 1000
    assert table["s"].to_list() == [f"frame number {number}"] * 1000


def ready(process):
    assert process.stdout.readline() == "ready\n"


def test_every_frame_of_another_process_arrives(python, ring):
    ready(python(WRITER, ring, 500))
    with qadataswap.create_reader(ring) as reader:
        for number, table in enumerate(reader):
            check(table, number)
        assert number == 499


def test_readers_carry_on_when_a_python_writer_is_killed(python, ring):
    first = python(WRITER, ring, -1)
    ready(first)
    with qadataswap.create_reader(ring) as reader:
        for number in range(100):
            check(reader.read(20_000), number)
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(qadataswap.WriterDiedError, match=str(first.pid)):
            while True:
                number += 1
                check(reader.read(20_000), number)
        # A new writer goes on where the dead one stopped.
        ready(python(WRITER, ring, 50))
        for again, table in enumerate(reader):
            check(table, again)
        assert again == 49


def test_writer_carries_on_when_a_python_reader_is_killed(python, ring):
    with qadataswap.create_writer(ring, 8, size_mb=4, write_timeout_ms=20_000) as writer:
        killed, other = python(READER, ring), python(READER, ring)
        ready(killed)
        ready(other)
        for number in range(300):
            writer.write(pl.DataFrame({"n": [number] * 1000, "s": [f"frame number {number}"] * 1000}))
            if number == 100:
                os.kill(killed.pid, signal.SIGKILL)
        assert writer.get_stats()["readers_evicted"] == 1
    assert other.communicate(timeout=60)[0] == "300\n"


def test_reader_killed_while_it_waits_leaves_nothing_behind(python, ring):
    with qadataswap.create_writer(ring, 2, size_mb=1) as writer:
        for _ in range(5):
            process = python(READER, ring)
            ready(process)
            process.kill()
            process.wait()
        for number in range(10):
            writer.write(tables.trades())
        with qadataswap.create_reader(ring) as reader:
            assert_frame_equal(reader.read(0), tables.trades())


def qads():
    """The command, if it has been built; `make test-python` builds it."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[3] / "target"))
    return shutil.which("qads", path=f"{folder}/debug")


def test_command_carries_on_when_a_python_writer_is_killed(python, ring):
    assert qads(), "the command qads is not built: run `make test-python`"
    tail = subprocess.Popen(
        [qads(), "tail", ring, "--attach-timeout", "20s", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        first = python(WRITER, ring, -1)
        for _ in range(20):
            assert tail.stdout.readline().startswith("{")
        os.kill(first.pid, signal.SIGKILL)
        # It prints what is whole, and then says how the writer ended.
        rest, errors = tail.communicate(timeout=60)
        assert all(line.startswith("{") and line.endswith("}") for line in rest.splitlines())
        assert (tail.returncode, "died without closing" in errors) == (1, True)
    finally:
        tail.kill()
        tail.communicate()


@pytest.mark.parametrize("call", ["reader.read()", "next(reader.frames())", "patient.write(table)",
    "list(reader)", "full.write(table)", "full.loan({'a': int}, 1)",
    "qadataswap.create_reader(name + '-none', attach_timeout_ms=-1)", "reader.wait_for_condition(bool)"])
def test_ctrl_c_interrupts(python, ring, call):
    code = f"""
import sys, polars as pl, qadataswap
name = sys.argv[1]
table = pl.DataFrame({{"a": [1]}})
writer, full, patient = (
    qadataswap.create_writer(name + end, 1, size_mb=1, write_timeout_ms=patience)
    for end, patience in (("-a", -1), ("-b", -1), ("-c", sys.maxsize))
)
reader, slow, other = (qadataswap.create_reader(name + end) for end in ("-a", "-b", "-c"))
full.write(table)
patient.write(table)
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    slow.read()
    other.read()
    print("interrupted", flush=True)
"""
    process = python(code, ring)
    ready(process)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "interrupted\n"


def test_interrupted_wait_takes_no_frame(python, ring):
    # Only while it waits: a signal that strikes between a call and the use of its result is Python's own affair.
    code = """
import sys, qadataswap
with qadataswap.create_reader(sys.argv[1]) as reader:
    for number in range(10):
        print("ready", flush=True)
        try:
            reader.read_frame()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(reader.read_frame(20000).sequence, flush=True)
"""
    with qadataswap.create_writer(ring, 4, size_mb=1) as writer:
        process = python(code, ring)
        for number in range(10):
            ready(process)
            time.sleep(0.02 * (number % 4 + 1))
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            writer.write(tables.trades())
            assert process.stdout.readline() == f"{number}\n"
        assert process.wait(60) == 0


def in_child(act):
    """Runs `act` in a forked child; what it answers."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "nothing"
        try:
            answer = act()
        except BaseException as error:
            answer = type(error).__name__
        os.write(write, str(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        answer = file.read()
    os.waitpid(child, 0)
    return answer


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_is_refused_and_its_parent_carries_on(pair):
    writer, reader = pair
    table = tables.trades().to_arrow()
    loan = writer.loan({"a": int}, 1)
    assert in_child(lambda: writer.write(table)) == "ForkedError"
    assert in_child(lambda: reader.read_frame(0)) == "ForkedError"
    assert in_child(reader.read_frame) == "ForkedError"
    assert in_child(reader.try_read_frame) == "ForkedError"
    assert in_child(lambda: loan["a"]) == "ForkedError"
    assert in_child(loan.commit) == "ForkedError"
    assert in_child(lambda: qadataswap.create_writer(writer.name)) == "WriterExistsError"
    loan.abandon()
    writer.write(table)
    assert reader.read_arrow(0).equals(table)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_child_may_open_the_ring_again(pair):
    writer, _ = pair
    table = tables.trades().to_arrow()
    writer.write(table)

    def again():
        with qadataswap.create_reader(writer.name) as reader:
            return reader.read_frame(5000).num_rows

    assert in_child(again) == "5"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_child_forked_while_other_threads_are_at_it_is_refused(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, write_timeout_ms=-1) as writer:
        table = tables.trades().to_arrow()
        with qadataswap.create_reader(ring) as reader:
            writer.write(table)
            waiting = threading.Thread(target=writer.write, args=(table,))
            waiting.start()

            def refused():
                # Alone there: whoever waits for a lock waits for ever.
                signal.alarm(10)
                assert "of the parent process" in repr(writer)
                for call in (lambda: writer.write(table), lambda: writer.loan({"a": int}, 1), writer.get_stats):
                    with pytest.raises(qadataswap.ForkedError):
                        call()
                writer.close()
                return "refused"

            assert [in_child(refused) for _ in range(10)] == ["refused"] * 10
            for number in range(2):
                frame = reader.read_frame(20_000)
                assert frame.sequence == number
                del frame
            waiting.join()


def consume(name):
    with qadataswap.create_reader(name, attach_timeout_ms=20_000) as reader:
        return sum(table["id"].sum() for table in reader)


def test_spawned_children_read(ring):
    context = multiprocessing.get_context("spawn")
    with qadataswap.create_writer(ring, 4, size_mb=1, write_timeout_ms=-1) as writer:
        with context.Pool(2) as pool:
            results = [pool.apply_async(consume, (ring,)) for _ in range(2)]
            tables.eventually(lambda: writer.reader_count() == 2, 60)
            for number in range(20):
                writer.write(tables.trades(3, number))
            writer.close()
            expected = sum(tables.trades(3, number)["id"].sum() for number in range(20))
            assert [result.get(60) for result in results] == [expected] * 2


def test_handles_are_not_pickled(pair):
    import pickle

    with pytest.raises(TypeError):
        pickle.dumps(pair[0])


def counts_while(act):
    """Whether another thread gets on while `act` waits."""
    stop, turns = threading.Event(), [0]

    def count():
        while not stop.is_set():
            turns[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    try:
        before = turns[0]
        act()
        return turns[0] - before
    finally:
        stop.set()
        counter.join()


def test_interpreter_is_free_while_a_reader_waits(pair):
    assert counts_while(lambda: pair[1].read(200)) > 1000


def test_interpreter_is_free_while_a_writer_waits(ring):
    with qadataswap.create_writer(ring, 1, size_mb=1, write_timeout_ms=200) as writer, qadataswap.create_reader(ring):
        writer.write(tables.trades())

        def write():
            with pytest.raises(TimeoutError):
                writer.write(tables.trades())

        assert counts_while(write) > 1000


def test_interpreter_is_free_while_a_large_table_is_copied(ring):
    table = pl.DataFrame({"a": pl.int_range(20_000_000, eager=True)})
    with qadataswap.create_writer(ring, 1, size_mb=200) as writer:
        switch = sys.getswitchinterval()
        # With the interpreter held, nobody else would get it before the copy is over.
        sys.setswitchinterval(1000)
        try:
            assert counts_while_copied(writer, table) > 0
        finally:
            sys.setswitchinterval(switch)


def counts_while_copied(writer, table):
    started, counted, stop = threading.Event(), [0], [False]

    def count():
        started.wait()
        while not stop[0]:
            counted[0] += 1
            time.sleep(0)

    counter = threading.Thread(target=count)
    counter.start()
    started.set()
    writer.write(table)
    result = counted[0]
    stop[0] = True
    counter.join()
    return result


def test_threads_share_a_reader(pair):
    writer, reader = pair
    seen, lock = [], threading.Lock()

    def take():
        for frame in reader.frames():
            with lock:
                seen.append(frame.sequence)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        writer.write(tables.trades())
    writer.close()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(200))


def test_threads_share_a_writer_and_its_loans(pair):
    writer, reader = pair
    rows = []
    taking = threading.Thread(target=lambda: rows.extend(table["a"].item() for table in reader))
    taking.start()

    def put(first):
        for number in range(first, first + 100):
            if number % 3:
                writer.write(pl.DataFrame({"a": [number]}))
            else:
                with writer.loan({"a": int}, 1) as loan:
                    loan["a"][0] = number
                    if number % 2:
                        loan.commit()

    threads = [threading.Thread(target=put, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    taking.join()
    assert sorted(rows) == [number for number in range(300) if number % 3 or number % 2]
