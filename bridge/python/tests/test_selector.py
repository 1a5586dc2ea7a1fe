"""Waiting on many rings at once: what can be read is told and not taken, and everything ends a wait that should."""

import os
import signal
import threading
import time

import polars as pl
import pytest

import qadataswap


def table(number):
    return pl.DataFrame({"a": [number]})


@pytest.fixture
def rings(ring):
    """Writers and readers of three rings."""
    names = [f"{ring}-{each}" for each in range(3)]
    writers = [qadataswap.create_writer(name, size_mb=1) for name in names]
    readers = [qadataswap.create_reader(name) for name in names]
    yield writers, readers
    for handle in writers + readers:
        handle.close()


def test_wait_tells_what_can_be_read_and_takes_nothing(rings):
    writers, readers = rings
    with qadataswap.Selector(readers) as selector:
        assert selector.wait(1) == []
        writers[2].write(table(7))
        assert selector.wait() == [readers[2]]
        assert selector.wait() == [readers[2]]
        assert readers[2].try_read()["a"].item() == 7
        assert selector.wait(0) == []


def test_readers_are_added_and_removed(rings):
    writers, readers = rings
    selector = qadataswap.Selector(readers[:1])
    assert len(selector) == 1 and readers[0] in selector and readers[1] not in selector
    with pytest.raises(qadataswap.InvalidConfigError):
        selector.add(readers[0])
    with pytest.raises(qadataswap.WrongRoleError):
        selector.add(writers[0])
    writers[1].write(table(1))
    adding = threading.Thread(target=selector.add, args=(readers[1],))
    adding.start()
    assert selector.wait(20_000) == [readers[1]]
    adding.join()
    assert selector.remove(readers[1]) and not selector.remove(readers[1])
    assert selector.wait(0) == []
    assert repr(selector) == "<qadataswap.Selector of 1 readers>"
    readers[2].close()
    with pytest.raises(qadataswap.ClosedError):
        selector.add(readers[2])


def test_waker_ends_the_wait_that_goes_on_or_the_next(rings):
    selector = qadataswap.Selector(rings[1])
    selector.wake()
    assert selector.wait() == []
    waking = threading.Thread(target=selector.wake)
    waking.start()
    assert selector.wait() == []
    waking.join()
    closing = threading.Thread(target=selector.close)
    closing.start()
    assert selector.wait() == []
    closing.join()
    assert len(selector) == 0


def test_frame_that_comes_later_ends_the_wait_of_another_thread(rings):
    writers, readers = rings
    selector = qadataswap.Selector(readers, wait="sleep")
    ready = []
    waiting = threading.Thread(target=lambda: ready.extend(selector.wait(20_000)))
    waiting.start()
    writers[1].write(table(1))
    waiting.join()
    assert ready == [readers[1]]


def test_ends_are_told(rings):
    writers, readers = rings
    selector = qadataswap.Selector(readers)
    writers[0].close()
    assert selector.wait(20_000) == [readers[0]]
    with pytest.raises(EOFError):
        readers[0].try_read()
    selector.remove(readers[0])
    readers[1].close()
    assert selector.wait(20_000) == [readers[1]]


def test_death_of_a_writer_is_told_even_to_a_try(python, ring):
    code = """
import sys, time, polars, qadataswap
writer = qadataswap.create_writer(sys.argv[1], size_mb=1)
writer.write(polars.DataFrame({"a": [1]}))
print("written", flush=True)
time.sleep(60)
"""
    process = python(code, ring)
    assert process.stdout.readline() == "written\n"
    with qadataswap.create_reader(ring) as reader, qadataswap.Selector([reader]) as selector:
        assert selector.wait(20_000) == [reader]
        assert reader.try_read()["a"].item() == 1
        assert selector.wait(1) == []
        process.kill()
        process.wait()
        assert selector.wait(20_000) == [reader]
        with pytest.raises(qadataswap.WriterDiedError):
            reader.try_read_frame()


def test_wait_answers_signals(rings):
    writers, readers = rings

    class Alarm(Exception):
        pass

    def ring_alarm(*_):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(Alarm):
            qadataswap.Selector(readers).wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_threads_run_during_a_wait(rings):
    selector = qadataswap.Selector(rings[1])
    counted = 0
    stop = threading.Event()

    def count():
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0)

    counting = threading.Thread(target=count)
    counting.start()
    selector.wait(30)
    before = counted
    selector.wait(30)
    stop.set()
    counting.join()
    assert counted > before


def test_selector_of_many_rings(ring):
    names = [f"{ring}-{each}" for each in range(200)]
    writers = [qadataswap.create_writer(name, slot_bytes=4096) for name in names]
    readers = [qadataswap.create_reader(name) for name in names]
    with qadataswap.Selector(readers, wait="sleep") as selector:
        for each in (0, 126, 127, 199):
            writing = threading.Thread(target=writers[each].write, args=(table(each),))
            writing.start()
            assert selector.wait(20_000) == [readers[each]]
            writing.join()
            assert readers[each].try_read()["a"].item() == each
    for handle in writers + readers:
        handle.close()


def test_child_of_a_fork_is_told(rings):
    writers, readers = rings
    selector = qadataswap.Selector(readers[:1])
    assert selector.wait(1) == []
    child = os.fork()
    if child == 0:
        try:
            assert selector.wait(1000) == [readers[0]]
            readers[0].try_read()
        except qadataswap.ForkedError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_condition_consumes_what_does_not_fit(pair):
    writer, reader = pair
    for rows in (10, 2000, 10):
        writer.write(pl.DataFrame({"a": range(rows)}))
    assert len(reader.wait_for_condition(lambda df: len(df) > 1000)) == 2000
    assert reader.wait_for_condition(lambda df: len(df) > 1000, 5) is None
    assert reader.get_stats()["reads_count"] == 3
