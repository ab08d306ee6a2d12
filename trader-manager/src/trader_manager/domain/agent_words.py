"""What a strategy-agent says on its output, wherever it runs."""

from typing import Final

_CONTROL: Final = "strategy-agent control on "


def control_url(said: str) -> str:
    """Find where its control API answers; empty before it does."""
    _, _, rest = said.partition(_CONTROL)
    return rest.splitlines()[0].strip() if "\n" in rest else ""


def last_line(said: str) -> str:
    """Find the last thing it said; empty for nothing."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:500].removeprefix("strategy-agent: ") if lines else ""
