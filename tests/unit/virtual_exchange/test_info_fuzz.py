"""Whatever `/info` is asked, it answers or refuses."""

import random
from typing import Any

import msgspec
import pytest
from tests.support.busy import CLOID, OWNER, busy_session

from virtual_exchange.application.info.request import InfoBody, UnknownRequest
from virtual_exchange.application.session import Session

NUMBERS = (None, 0, 1, -1, 5, 50, 1_746_403_260_000, 10**13, 1 << 63, 1 << 64, 10**30, -(10**30))
TEXTS = (
    *(None, "", "BTC", "btc", "@1", "PURR/USDC", "\N{GRINNING FACE}", "\u0663", "x" * 300),
    *("0x" + "9" * 40, "0X" + "9" * 40, OWNER.address, "alice", CLOID, CLOID[:-1]),
)


@pytest.fixture(scope="module")
def session() -> Session:
    return busy_session()


def drawn(chance: random.Random) -> dict[str, Any]:
    """Fields of the right types, with anything in them."""
    names = ("startTime", "endTime", "nSigFigs", "mantissa", "id")
    fields: dict[str, Any] = {name: chance.choice(NUMBERS) for name in names}
    fields |= {name: chance.choice(TEXTS) for name in ("coin", "builder", "tokenId")}
    fields["vaultAddress"] = chance.choice(TEXTS)
    fields["user"] = chance.choice((OWNER.address, *TEXTS))
    fields["dex"] = chance.choice((None, None, "", "xyz"))
    fields["oid"] = chance.choice((*NUMBERS, *TEXTS))
    fields["aggregateByTime"] = chance.choice((None, True, False))
    values = (*NUMBERS, *TEXTS, True, 1.5)
    wanted = {name: chance.choice(values) for name in ("startTime", "endTime")}
    wanted["interval"] = chance.choice(("1m", "3d", "1M", *TEXTS))
    fields["req"] = chance.choice((None, wanted | {"coin": chance.choice(("BTC", *TEXTS))}))
    return fields


@pytest.mark.parametrize("seed", range(4))
def test_any_request_is_answered_or_refused(session: Session, seed: int) -> None:
    """Never an error, and always JSON."""
    chance, queries = random.Random(seed), session.queries
    answered = 0
    for _ in range(3):
        for kind in queries._reads:
            request = InfoBody(type=kind, **drawn(chance))
            try:
                answer = queries.info(request, chance.choice((None, 0, 1)))
            except UnknownRequest:
                continue
            answered += 1
            msgspec.json.encode(answer)
    assert answered > 50
