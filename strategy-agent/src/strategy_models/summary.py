"""What a cassette holds, for people."""

from collections import Counter

from strategy_models.cassette import Cassette
from strategy_models.errors import AttemptFailed
from strategy_models.prices import Usage
from strategy_models.wire import anthropic_messages, openai_chat
from suite.fixed import format_fixed


def lines_of(cassette: Cassette) -> list[str]:
    """Sum a cassette up, one line a model."""
    rows: dict[str, Counter[str]] = {}
    for one in cassette.recordings():
        name = f"{one.asked.get('provider')}/{one.asked.get('model')}"
        row = rows.setdefault(name, Counter())
        row["cost"] += one.cost
        if one.fault is not None:
            row["failures"] += 1
            continue
        usage = _usage(one.reply or "")
        row.update(answers=1, input=usage.input, output=usage.output)
    size = cassette.path.stat().st_size
    return [
        f"{cassette.path}: {size:,} bytes, {sum(row['answers'] for row in rows.values())} answers",
        *(
            f"{name}: {row['answers']} answers, {row['failures']} failures, {row['input']:,} tokens"
            f" asked, {row['output']:,} answered, {format_fixed(row['cost'], 6)} USD"
            for name, row in sorted(rows.items())
        ),
    ]


def _usage(reply: str) -> Usage:
    for wire in (openai_chat, anthropic_messages):
        try:
            return wire.read(reply.encode()).usage or Usage()
        except AttemptFailed:
            continue
    return Usage()
