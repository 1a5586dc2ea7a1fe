"""Reading with asyncio: the loop goes on, cancelling loses nothing, nothing leaks."""

import asyncio
import os
import threading
import time

import polars as pl
import pytest

import qadataswap
import tables
from qadataswap import aio


def table(number):
    return pl.DataFrame({"a": [number]})


def run(main):
    return asyncio.run(asyncio.wait_for(main, 60))


def test_await_returns_a_frame_that_comes_later(pair):
    writer, reader = pair

    async def main():
        waiting = asyncio.ensure_future(reader.read_async())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        writer.write(table(7))
        return await waiting

    assert run(main())["a"].item() == 7


def test_observer_is_awaited_beside_a_reader(pair):
    writer, reader = pair

    async def main():
        with qadataswap.create_reader(writer.name, policy="observer") as observer:
            for number in range(5):
                waiting = [asyncio.ensure_future(each.read_async()) for each in (observer, reader)]
                await asyncio.sleep(0.005)
                writer.write(table(number))
                for each in waiting:
                    assert (await each)["a"].item() == number

    run(main())


def test_loop_goes_on_while_a_frame_is_awaited(pair):
    writer, reader = pair

    async def main():
        waiting = asyncio.ensure_future(aio.read_frame(reader))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert not waiting.done()
        writer.write(table(1))
        assert (await waiting).sequence == 0

    run(main())


def test_await_times_out_with_none(pair):
    async def main():
        assert await pair[1].read_async(0) is None
        assert await pair[1].read_async(timeout_ms=30) is None

    run(main())


def test_async_for_yields_tables_to_the_end_of_the_stream(pair):
    writer, reader = pair

    async def main():
        async def produce():
            for number in range(50):
                while writer.try_write(table(number)) is None:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.002 if number % 7 == 0 else 0)
            writer.close()

        producing = asyncio.ensure_future(produce())
        seen = [df["a"].item() async for df in reader]
        await producing
        return seen

    assert run(main()) == list(range(50))


def test_async_frames_end_with_the_stream(pair):
    writer, reader = pair
    for number in range(3):
        writer.write(table(number))
    writer.close()

    async def main():
        return [frame.sequence async for frame in aio.frames(reader)]

    assert run(main()) == [0, 1, 2]


def test_end_of_the_stream_and_closed_readers_are_raised(pair):
    writer, reader = pair

    async def main():
        waiting = asyncio.ensure_future(reader.read_async())
        await asyncio.sleep(0.02)
        writer.close()
        with pytest.raises(EOFError):
            await waiting
        reader.close()
        with pytest.raises(qadataswap.ClosedError):
            await reader.read_async()

    run(main())


def test_reader_that_is_closed_while_awaited_is_raised(pair):
    async def main():
        waiting = asyncio.ensure_future(pair[1].read_async())
        await asyncio.sleep(0.05)
        pair[1].close()
        pair[0].write(table(1))
        with pytest.raises(qadataswap.ClosedError):
            await waiting

    run(main())


def test_cancelling_loses_no_frame(ring):
    total = 400

    def produce():
        with qadataswap.create_writer(ring, 4, size_mb=1, write_timeout_ms=20_000) as writer:
            while writer.reader_count() == 0:
                time.sleep(0.001)
            for number in range(total):
                writer.write(table(number))
                if number % 3 == 0:
                    time.sleep(0.0005)

    producer = threading.Thread(target=produce)
    producer.start()

    async def main():
        seen, cancelled, tried = [], 0, 0
        with qadataswap.create_reader(ring, attach_timeout_ms=20_000) as reader:
            while True:
                waiting = asyncio.ensure_future(reader.read_async())
                tried += 1
                for _ in range(tried % 4):
                    await asyncio.sleep(0)
                if not waiting.done():
                    waiting.cancel()
                try:
                    seen.append((await waiting)["a"].item())
                except asyncio.CancelledError:
                    cancelled += 1
                    await asyncio.sleep(0.0005)
                except EOFError:
                    return seen, cancelled

    seen, cancelled = run(main())
    producer.join()
    assert seen == list(range(total))
    assert cancelled > 0


def test_many_tasks_share_out_the_frames_of_one_reader(pair):
    writer, reader = pair

    async def main():
        async def one():
            return (await reader.read_async())["a"].item()

        waiting = [asyncio.ensure_future(one()) for _ in range(20)]
        await asyncio.sleep(0.02)
        for number in range(20):
            writer.write(table(number))
            await asyncio.sleep(0.001)
        return sorted(await asyncio.gather(*waiting))

    assert run(main()) == list(range(20))


def test_one_task_reads_while_the_same_loop_reads_another_ring(ring):
    with qadataswap.create_writer(ring + "-a", size_mb=1) as a, qadataswap.create_writer(ring + "-b", size_mb=1) as b:
        with qadataswap.create_reader(ring + "-a") as from_a, qadataswap.create_reader(ring + "-b") as from_b:

            async def main():
                both = asyncio.gather(from_a.read_async(), from_b.read_async())
                await asyncio.sleep(0.02)
                b.write(table(2))
                a.write(table(1))
                return [df["a"].item() for df in await both]

            assert run(main()) == [1, 2]


def test_one_thread_waits_for_all_readers(ring):
    names = [f"{ring}-{each}" for each in range(30)]
    writers = [qadataswap.create_writer(name, size_mb=1) for name in names]
    readers = [qadataswap.create_reader(name) for name in names]

    async def main():
        waiting = [asyncio.ensure_future(reader.read_async()) for reader in readers]
        await asyncio.sleep(0.02)
        assert [thread.name for thread in threading.enumerate()].count("qadataswap-aio") == 1
        for number, writer in enumerate(writers):
            writer.write(table(number))
        return [df["a"].item() for df in await asyncio.gather(*waiting)]

    assert run(main()) == list(range(30))
    for handle in writers + readers:
        handle.close()


def test_child_of_a_fork_awaits_by_a_thread_of_its_own(pair, ring):
    writer, reader = pair

    async def main():
        assert await reader.read_async(1) is None
        child = os.fork()
        if child == 0:
            os._exit(0 if child_reads(ring) else 1)
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            writer.try_write(table(1))
            assert await reader.read_async() is not None
            await asyncio.sleep(0.001)
        assert ended[1] == 0

    run(main())


def child_reads(ring):
    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(None)
    with qadataswap.create_reader(ring, policy="lossy") as reader:
        return len(loop.run_until_complete(asyncio.wait_for(reader.read_async(), 20))) == 1


def test_thousands_of_awaits_leak_neither_threads_nor_descriptors(pair):
    writer, reader = pair

    def held():
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    async def main():
        assert await reader.read_async(1) is None
        before = held()
        for number in range(10_000):
            waiting = asyncio.ensure_future(aio.read_frame(reader))
            await asyncio.sleep(0)
            if number % 2:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            else:
                writer.write(table(number))
                await waiting
        while (frame := await aio.read_frame(reader, 0)) is not None:
            del frame
        threads, descriptors = held()
        assert threads <= before[0] and descriptors <= before[1]

    run(main())
    tables.eventually(lambda: not any(thread.name == "qadataswap-aio" for thread in threading.enumerate()))


def test_awaits_that_are_cancelled_are_waited_for_no_longer(pair):
    async def main():
        for _ in range(1000):
            waiting = asyncio.ensure_future(pair[1].read_async())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        # The loop goes on, and yet the thread finds nothing to wait for.
        deadline = time.monotonic() + 20
        while any(thread.name == "qadataswap-aio" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    run(main())


def test_thread_that_does_not_start_is_told_and_tried_again(pair, monkeypatch):
    writer, reader = pair

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    async def main():
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="new thread"):
                await reader.read_async()
        waiting = asyncio.ensure_future(reader.read_async())
        await asyncio.sleep(0.05)
        writer.write(table(3))
        return await waiting

    assert run(main())["a"].item() == 3


def test_other_tasks_get_their_turn_while_frames_keep_coming(ring):
    turns = 0

    async def main():
        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        with qadataswap.create_writer(ring, 2, size_mb=1) as writer, qadataswap.create_reader(ring) as reader:
            task = asyncio.ensure_future(other())
            deadline = time.monotonic() + 20
            # A frame is always there.
            while turns < 10:
                writer.write(table(1))
                await reader.read_async()
                assert time.monotonic() < deadline
            task.cancel()

    run(main())


def test_timeout_that_is_no_number_is_refused(pair):
    async def main():
        for timeout in (float("nan"), "soon"):
            with pytest.raises((ValueError, TypeError)):
                await pair[1].read_async(timeout)

    run(main())


def test_reader_is_awaited_in_several_loops(pair):
    writer, reader = pair
    seen = []

    def loop():
        async def main():
            while (frame := await aio.read_frame(reader, 20_000)).num_rows:
                seen.append(frame.sequence)

        run(main())

    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(60):
        writer.write(table(number))
    for _ in threads:
        writer.write(table(0).clear())
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(60))


def test_program_ends_though_a_loop_that_awaits_was_left_open(python, ring):
    code = """
import asyncio, sys, qadataswap
writer = qadataswap.create_writer(sys.argv[1], size_mb=1)
reader = qadataswap.create_reader(sys.argv[1])
loop = asyncio.new_event_loop()
waiting = loop.create_task(reader.read_async())
loop.run_until_complete(asyncio.sleep(0.05))
print("ended", flush=True)
"""
    process = python(code, ring)
    assert process.communicate(timeout=60)[0].startswith("ended\n")
    assert process.returncode == 0


def test_loop_of_another_thread_reads_on_after_the_main_thread_has_ended(python, ring):
    code = """
import asyncio, sys, threading, polars, qadataswap
def run():
    with qadataswap.create_reader(sys.argv[1]) as reader:
        async def main():
            async for df in reader:
                print(df["a"].item(), flush=True)
        asyncio.run(main())
threading.Thread(target=run).start()
"""
    with qadataswap.create_writer(ring, size_mb=1) as writer:
        process = python(code, ring)
        tables.eventually(lambda: writer.reader_count() == 1)
        time.sleep(0.5)
        writer.write(table(5))
        assert process.stdout.readline() == "5\n"
    assert process.wait(60) == 0


def test_program_ends_though_a_frame_is_awaited(python, ring):
    code = """
import asyncio, sys, qadataswap
writer = qadataswap.create_writer(sys.argv[1], size_mb=1)
reader = qadataswap.create_reader(sys.argv[1])
async def main():
    asyncio.ensure_future(reader.read_async())
    await asyncio.sleep(0.05)
asyncio.run(main())
print("ended")
"""
    process = python(code, ring)
    assert process.communicate(timeout=60)[0] == "ended\n"
    assert process.returncode == 0
