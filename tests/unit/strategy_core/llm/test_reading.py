"""Whatever a model answers: it is read, or it is named what is wrong with it; nothing crashes."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.strategy_core.llm.replies import BAD, FINE, GOOD, NOTHING, ONE, one

from strategy_core.llm.answer import NOTES_MAX, FlawKind, Item, Signal, schema
from strategy_core.llm.port import ModelReply
from strategy_core.llm.reading import Reading, read_reply

COINS = ("BTC", "ETH")


def read(text: str) -> Reading:
    return read_reply(ModelReply(text=text), COINS)


def test_the_corpus_is_as_large_as_promised() -> None:
    """A hundred kinds at least; every flaw of reading is among them."""
    assert len(BAD) >= 100
    seen = {kind for _, kind in BAD.values()} | {"refused", "cut_off", "coin_twice"}
    acting = set(FlawKind) - seen
    assert {
        "no_price", "no_size", "two_sizes", "no_stop", "wrong_side", "too_far", "too_small",
        "no_position", "has_position", "stop_loosened", "nothing_to_do", "braked",
    } == acting  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_json_is_found_wherever_it_stands(name: str) -> None:
    """With whatever around it."""
    reading = read(FINE[name])
    assert () == reading.flaws
    (item,) = reading.items
    assert ("BTC", Signal.BUY, Decimal(50), Decimal(98)) == (
        item.coin,
        item.signal,
        item.risk_usd,
        item.stop_loss,
    )


@pytest.mark.parametrize("name", NOTHING)
def test_no_decision_is_an_answer(name: str) -> None:
    """It holds, and is not asked again."""
    reading = read(NOTHING[name])
    assert ((), (), False) == (reading.items, reading.flaws, reading.is_useless)


@pytest.mark.parametrize("name", BAD)
def test_every_malformed_reply_has_its_kind(name: str) -> None:
    """One flaw, told in one short line without anything invisible."""
    text, kind = BAD[name]
    reading = read(text)
    assert [kind] == [flaw.kind for flaw in reading.flaws]
    assert () == reading.items
    said = str(reading.flaws[0])
    assert len(said) < 400
    assert said.isprintable()
    said.encode()


def test_a_text_that_was_cut_says_so() -> None:
    """The provider knows it, and the model is told to write less."""
    reading = read_reply(ModelReply(text=GOOD[:-9], finish="length"), COINS)
    assert [FlawKind.CUT_OFF] == [flaw.kind for flaw in reading.flaws]
    whole = read_reply(ModelReply(text=GOOD + " and so", finish="length"), COINS)
    assert 1 == len(whole.items)


def test_what_the_provider_kept_back_is_a_refusal() -> None:
    """Even where there is JSON in it."""
    reading = read_reply(ModelReply(text=GOOD, finish="refused"), COINS)
    assert [FlawKind.REFUSED] == [flaw.kind for flaw in reading.flaws]


def test_the_second_decision_for_a_coin_does_not_count() -> None:
    """The first does."""
    reading = read(json.dumps([ONE, ONE | {"risk_usd": 99}]))
    assert [Decimal(50)] == [item.risk_usd for item in reading.items]
    assert [(FlawKind.COIN_TWICE, 1)] == [(flaw.kind, flaw.item) for flaw in reading.flaws]


def test_bad_decisions_do_not_block_good_ones() -> None:
    """Each is read on its own."""
    items = [
        json.loads(text)["decisions"][0] for text, kind in BAD.values() if kind == "wrong_unit"
    ]
    reading = read(json.dumps({"decisions": [*items, ONE | {"coin": "ETH"}], "notes": [1]}))
    assert ["ETH"] == [item.coin for item in reading.items]
    assert len(items) + 1 == len(reading.flaws)
    assert not reading.is_useless


def test_notes_are_bounded() -> None:
    """In number and in length; the newest stay."""
    notes = [f"{index} " + "x" * 999 for index in range(50)]
    reading = read(json.dumps({"decisions": [], "notes": notes}))
    assert reading.notes is not None
    assert NOTES_MAX == len(reading.notes)
    assert reading.notes[-1].startswith("49 ")
    assert {240} == {len(note) for note in reading.notes}


@given(st.text(max_size=300))
def test_no_text_crashes(text: str) -> None:
    """Whatever it is."""
    reading = read(text)
    assert reading.items == () or "signal" in text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*ONE, "entry", "confidence", "valid_for", "x"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4), JSON)
def test_no_json_crashes(items: object, notes: object) -> None:
    """In the form of an answer, with anything in it."""
    reading = read(json.dumps({"decisions": items, "notes": notes}))
    assert all(isinstance(item, Item) for item in reading.items)


@given(st.integers(0, len(GOOD)), st.characters(), st.booleans())
def test_no_changed_sign_crashes(at: int, sign: str, cut: bool) -> None:
    """One sign more, or cut there."""
    read(GOOD[:at] + sign + ("" if cut else GOOD[at:]))


def test_an_answer_by_the_schema_is_read() -> None:
    """Every field that the schema names is known, and none is missing in it."""
    told = schema(COINS)["properties"]["decisions"]["items"]
    full = dict.fromkeys(told["required"]) | ONE
    assert () == read(json.dumps({"decisions": [full], "notes": []})).flaws
    assert [FlawKind.UNKNOWN_FIELD] == [flaw.kind for flaw in read(one(x=1)).flaws]
