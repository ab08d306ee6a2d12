"""Record what a live venue with a trader shows: `python -m tests.contract.record_metrics`."""

import tempfile
from pathlib import Path

import httpx
from tests.support.documented_live import quick_start

PLACE = Path(__file__).parent / "recorded" / "metrics" / "hyperliquid-exchange.txt"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, quick_start(Path(folder)) as live:
        token = (live.folder / "var/tokens/operator.token").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        httpx.get(f"{live.url}/safety", headers=headers)
        PLACE.write_text(httpx.get(f"{live.url}/metrics").text)


if __name__ == "__main__":
    main()
