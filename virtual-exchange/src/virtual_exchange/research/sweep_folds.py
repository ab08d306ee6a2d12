"""Walk-forward windows of a sweep: whole UTC days, each test after its training and a purge.

    |---- train ----|purge|-- test --|embargo|-- test --| ...        anchored: train begins at 0

Fold k trains on the days right before its purge. The purge keeps what is still open at the end of
a training from reaching into its test; the embargo keeps neighboring tests apart likewise.
"""

from typing import Annotated, Literal

import msgspec

from suite.bars import DAY_MS

Part = Literal["train", "test"]
Days = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class FoldPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a period is divided.

    Attributes:
        count: folds; 0 makes one training of the whole period, without a test.
        train_days, test_days: length of the windows; what is not given follows from the period.
        purge_days: days between a training and its test that belong to neither.
        embargo_days: days between two tests that belong to neither.
        anchored: every training begins with the period, so that later ones are longer.
    """

    count: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 3
    train_days: Days | None = None
    test_days: Days | None = None
    purge_days: Days = 1
    embargo_days: Days = 0
    anchored: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one fold: [from_ms, to_ms), both at midnight UTC."""

    fold: int
    part: Part
    from_ms: int
    to_ms: int


def windows_of(plan: FoldPlan, from_ms: int, to_ms: int) -> tuple[Window, ...]:
    """Divide a period.

    Args:
        plan: how.
        from_ms, to_ms: midnights.

    Returns:
        Training and test of each fold, in turn.

    Raises:
        ValueError: the period is too short for it; says how long it would have to be.
    """
    days = (to_ms - from_ms) // DAY_MS
    if plan.count == 0:
        return (Window(fold=0, part="train", from_ms=from_ms, to_ms=to_ms),)
    gaps = plan.purge_days + (plan.count - 1) * plan.embargo_days
    train, test = _lengths(plan, days - gaps)
    needed = max(train, 1) + plan.count * max(test, 1) + gaps
    if train < 1 or test < 1 or needed > days:
        raise ValueError(
            f"folds: {plan.count} of {max(train, 1)} days of training and {max(test, 1)} of test "
            f"need {needed} days with their purge and embargo, the data has {days}: take fewer or "
            "shorter ones, or a longer period"
        )
    made: list[Window] = []
    for fold in range(plan.count):
        begin = train + plan.purge_days + fold * (test + plan.embargo_days)
        first = 0 if plan.anchored else begin - plan.purge_days - train
        edges: tuple[tuple[Part, int, int], ...] = (
            ("train", first, begin - plan.purge_days),
            ("test", begin, begin + test),
        )
        made += [
            Window(
                fold=fold,
                part=part,
                from_ms=from_ms + start * DAY_MS,
                to_ms=from_ms + end * DAY_MS,
            )
            for part, start, end in edges
        ]
    return tuple(made)


def _lengths(plan: FoldPlan, days: int) -> tuple[int, int]:
    """Days of a training and of a test, given those of the plan and the days without gaps.

    A training is twice a test where neither is given; what a division leaves goes to training.
    """
    if plan.test_days is None and plan.train_days is None:
        test = days // (plan.count + 2)
        return days - plan.count * test, test
    if plan.test_days is None:
        return plan.train_days or 0, (days - (plan.train_days or 0)) // plan.count
    if plan.train_days is None:
        return days - plan.count * plan.test_days, plan.test_days
    return plan.train_days, plan.test_days
