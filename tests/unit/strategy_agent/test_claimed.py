"""Where a process that claims traders says that it is reached."""

import pytest

from strategy_agent.adapters.manager_http import ManagerHttp, own_address
from suite.errors import UpstreamUnavailable


@pytest.mark.parametrize(
    ("url", "told"),
    [("http://127.0.0.1:8400", "127.0.0.1"), ("https://[::1]/manager", "[::1]")],
)
def test_the_way_to_a_service_tells_the_address_that_it_is_left_by(url: str, told: str) -> None:
    assert told == own_address(url)


def _no_name() -> str:
    raise OSError(-2, "Name or service not known")


async def test_a_manager_whose_name_is_not_known_is_one_that_is_away() -> None:
    """It is asked again later: a name may come with its service."""
    manager = ManagerHttp("http://m:8400", token="t", control_url=_no_name, control_token="c")
    try:
        with pytest.raises(UpstreamUnavailable, match="no way to the trader-manager at http"):
            await manager.claim("here/1", passed_over=())
    finally:
        await manager.close()
