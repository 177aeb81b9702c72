"""How trials ended early, in grouped sentences."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from satisfice.choose import endings
from satisfice.choose.endings import grouped, joined, trials_named
from satisfice.spec.trial import TrialRecord, TrialState


def ended(number: int, state: TrialState, reason: str | None, steps: int = 0, **params: Any) -> TrialRecord:
    return TrialRecord(number=number, state=state, params=params, reason=reason, steps=steps)


def pruned(number: int, reason: str | None, steps: int = 0, **params: Any) -> TrialRecord:
    return ended(number, TrialState.PRUNED, reason, steps, **params)


def failed(number: int, reason: str | None) -> TrialRecord:
    return ended(number, TrialState.FAIL, reason)


def sentences(*records: TrialRecord) -> list[str]:
    return [e.sentence for e in endings(records)]


def complete(number: int, **params: Any) -> TrialRecord:
    return ended(number, TrialState.COMPLETE, None, **params)


def test_divergences_are_one_sentence_with_epochs_and_learning_rates() -> None:
    rates = [0.05, 0.06, 0.1, 0.07, 0.08, 0.09, 0.099]
    records = [
        pruned(
            n,
            f"diverged: the training loss is NaN in epoch {1 + n % 3} (lower the learning rate)",
            learning_rate=rate,
            width=8 * n,
        )
        for n, rate in enumerate(rates)
    ]
    assert sentences(*records) == [
        "7 trials diverged: the training loss was NaN in epoch 1 to 3, learning_rate 0.05 to 0.1"
    ]
    assert sentences(records[1]) == [
        "1 trial diverged: the training loss was NaN in epoch 2, learning_rate 0.06"
    ]


def test_a_reason_stored_with_nan_in_small_letters_is_the_same() -> None:
    old = pruned(0, "diverged: the training loss is nan in epoch 1 (lower the learning rate)")
    new = pruned(1, "diverged: the training loss is NaN in epoch 4 (lower the learning rate)")
    assert sentences(old, new) == ["2 trials diverged: the training loss was NaN in epoch 1 to 4"]


def test_a_divergence_without_an_epoch_is_told_with_the_last_step() -> None:
    records = [pruned(n, "diverged: loss is NaN", steps=n + 1) for n in range(3)]
    assert sentences(*records) == ["3 trials diverged: loss was NaN at step 1 to 3"]
    assert sentences(pruned(0, "diverged: loss is infinite")) == ["1 trial diverged: loss was infinite"]


def test_the_parameter_that_sets_divergences_apart_is_named() -> None:
    bad = [pruned(n, "diverged: loss is NaN", gain=5.0 + n, other=n % 2) for n in range(6)]
    good = [complete(6 + n, gain=n - 1.0, other=n % 2) for n in range(6)]
    assert sentences(*bad, *good) == ["6 trials diverged: loss was NaN, gain 5 to 10"]
    mixed = [complete(6 + n, gain=5.5 + n, other=n % 2) for n in range(6)]
    assert sentences(*bad, *mixed) == ["6 trials diverged: loss was NaN"]
    # Three of six may be apart by chance.
    assert sentences(*bad[3:], *good[:3]) == ["3 trials diverged: loss was NaN"]


def test_failures_with_equal_reasons_are_one_group_the_largest_first() -> None:
    records = [
        failed(0, "KeyError: 'a'"),
        *[failed(n, "ValueError: boom") for n in (1, 2, 5, 6, 7, 8)],
        failed(3, "RuntimeError: shapes 32x64 and 10x4"),
        failed(4, "RuntimeError: shapes 16x64 and 10x4"),
    ]
    assert sentences(*records) == [
        "6 trials failed (trials 1, 2, 5, 6 and 2 more): ValueError: boom",
        "2 trials failed alike (trials 3 and 4), the last one by RuntimeError: shapes 16x64 and 10x4",
        "1 trial failed (trial 0): KeyError: 'a'",
    ]
    assert sentences(failed(0, None)) == ["1 trial failed (trial 0): no reason was recorded"]


def test_pruned_trials_are_grouped_by_what_stopped_them() -> None:
    records = [
        pruned(0, "dominated at step 3: its best hope (accuracy 0.5) is behind trial 2"),
        pruned(1, "behind at step 1: trial 0 was no worse after 1"),
        pruned(3, "dominated at step 9: its best hope (accuracy 0.6) is behind trial 2"),
        failed(4, "ValueError: boom"),
    ]
    assert sentences(*records)[1:] == [
        "2 trials were stopped early: dominated at step 3 to 9",
        "1 trial was stopped early: behind at step 1",
    ]
    assert grouped(records, "stopped early") == "2 dominated at step 3 to 9 and 1 behind at step 1"
    assert grouped(records[:1], "stopped early") == "dominated at step 3"
    assert grouped([], "stopped early") == ""


def test_names_and_bounds_keep_their_digits() -> None:
    records = [pruned(n, f"cannot meet f1 >= 0.9 at step {n}: its best hope is 0.{n}") for n in range(1, 4)]
    assert sentences(*records) == ["3 trials were stopped early: cannot meet f1 >= 0.9 at step 1 to 3"]


def test_complete_waiting_and_running_trials_did_not_end_early() -> None:
    states = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
    assert endings([ended(n, state, None) for n, state in enumerate(states)]) == []


def test_lists_in_words() -> None:
    assert [joined(list("abc"[:n])) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert trials_named([4]) == "trial 4"
    assert trials_named([1, 2]) == "trials 1 and 2"


@given(st.lists(st.text(max_size=30) | st.from_regex(r"diverged: .{0,20}", fullmatch=True), max_size=8))
def test_any_reason_is_told_and_every_trial_counted_once(reasons: list[str]) -> None:
    records = [ended(n, (TrialState.FAIL, TrialState.PRUNED)[n % 2], text) for n, text in enumerate(reasons)]
    found = endings(records)
    assert sorted(n for e in found for n in e.numbers) == list(range(len(reasons)))
