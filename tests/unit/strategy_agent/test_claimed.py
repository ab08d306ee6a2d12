"""What a process that claims traders needs to be told."""

from pathlib import Path

import pytest

from strategy_agent.claimed import run_claims
from strategy_agent.settings import Settings
from suite.errors import ConfigError


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_one_that_listens_everywhere_says_where_it_is_reached(
    host: str, tmp_path: Path
) -> None:
    """The manager would be told an address that is nowhere; nothing has begun by then."""
    settings = Settings.load(
        host=host, trusted_network=True, port=8311, state_dir=tmp_path, manager_url="http://m:8400",
        manager_token="t",
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"set STRATEGY_AGENT_CONTROL_URL to .*http://host:8311"):
        await run_claims(settings, places=1, journal_dir=None, tell=print)
    assert not (tmp_path / "tokens").exists()
