"""Calls in other threads, waited for only so long."""

import threading
import time
from queue import SimpleQueue

import pytest

from satisfice.store.database.deadline import DeadlineCalls


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "aside"]


def gone(found: list[threading.Thread]) -> bool:
    deadline = time.monotonic() + 300
    while any(t.is_alive() for t in found) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(t.is_alive() for t in found)


def test_calls_one_after_another_share_a_thread() -> None:
    aside = DeadlineCalls()
    assert len({aside.call(threading.get_ident, within_s=300) for _ in range(20)}) == 1
    assert aside.call(threading.get_ident, within_s=300) != threading.get_ident()
    mine = threads()
    aside.close()
    assert gone(mine)


def test_what_is_raised_is_raised_here_and_the_thread_lives_on() -> None:
    aside = DeadlineCalls()

    def fail() -> None:
        raise KeyError("gone")

    first = aside.call(threading.get_ident, within_s=300)
    with pytest.raises(KeyError, match="gone"):
        aside.call(fail, within_s=300)
    assert aside.call(threading.get_ident, within_s=300) == first
    aside.close()


def test_who_does_not_answer_holds_nobody_up_and_comes_back() -> None:
    aside, silence = DeadlineCalls(), threading.Event()
    stuck: SimpleQueue[int] = SimpleQueue()

    def wait() -> None:
        stuck.put(threading.get_ident())
        silence.wait()

    with pytest.raises(TimeoutError):
        aside.call(wait, within_s=0.05)
    other = aside.call(threading.get_ident, within_s=300)
    assert other != stuck.get(timeout=300)
    silence.set()
    deadline = time.monotonic() + 300
    while len(aside._idle) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(aside._idle) == 2
    mine = threads()
    aside.close()
    assert gone(mine)


def test_the_threads_end_with_their_owner() -> None:
    before = set(threads())
    aside = DeadlineCalls()
    aside.call(threading.get_ident, within_s=300)
    mine = [t for t in threads() if t not in before]
    assert len(mine) == 1
    del aside
    assert gone(mine)
