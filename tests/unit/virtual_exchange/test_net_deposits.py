"""What was put into an account and taken out, as every reply of the clock tells it."""

from pathlib import Path

from tests.support.served import Served, served


async def told(venue: Served, name: str) -> tuple[str, str]:
    """Net deposits and value of an account."""
    account = (await venue.post("/clock/join", {}, name)).json()["account"]
    return account["net_deposits"], account["equity"]


async def test_a_reply_tells_what_was_moved_as_far_as_it_is_in_the_account(tmp_path: Path) -> None:
    """The first balance is a deposit; what is sent is out of one account and in another."""
    async with served(tmp_path) as venue:
        assert ("10000.0", "10000.0") == await told(venue, "alice")
        body = {"from": "alice", "to": "bob", "usd_micro": 2_500_000_001, "idempotency_key": "k"}
        assert 200 == (await venue.post("/transfers", body, "operator")).status_code
        assert ("7499.999999", "7499.999999") == await told(venue, "alice")
        assert ("12500.000001", "12500.000001") == await told(venue, "bob")
