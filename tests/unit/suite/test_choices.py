"""Texts of wrong bodies name what would have been right."""

import msgspec
import pytest

from suite.contracts.choices import with_choices
from suite.contracts.clock import WaitRequest
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import WorldRequest


@pytest.mark.parametrize(
    ("kind", "body", "ending"),
    [
        (
            WorldRequest,
            b'{"symbols":["BTC"],"clock":"fast"}',
            "`$.clock`; there are lockstep, paced",
        ),
        (WorldRequest, b'{"symbols":["BTC"],"interval":"7m"}', "`$.interval`; there are 1m, 3m"),
        (WaitRequest, b'{"step_seq":1,"wake_on":{"bar":"7m"}}', "`$.wake_on.bar`; there are 1m"),
        (
            WorldRequest,
            b'{"symbols":["BTC"],"accounts":[{"name":"a"}]}',
            "unknown field `name` - at `$.accounts[0]`; there are id, address",
        ),
        (
            PlaceOrder,
            b'{"type":"order","coin":"BTC","is_buy":true,"sz":1,"order_type":{"limit":{"tif":"gtc"}}}',
            "`$.order_type.limit.tif`; there are Gtc, Ioc, Alo",
        ),
    ],
)
def test_wrong_word_is_told_with_the_right_ones(kind: type, body: bytes, ending: str) -> None:
    """Of the field, wherever it is."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(body, type=kind)
    assert ending in with_choices(str(refused.value), kind)


def test_other_texts_stay_as_they_are() -> None:
    """A missing field is named; of several kinds of order it is not known which is meant."""
    for text in (
        "Object missing required field `sz`",
        "Object contains unknown field `x` - at `$.orders[0]`",
    ):
        assert text == with_choices(text, WaitRequest)
