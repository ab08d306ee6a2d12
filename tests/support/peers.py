"""Where bots that are installed beside the suite are found."""

import os
from pathlib import Path

PEERS = Path(os.environ.get("PEERS") or Path(__file__).parents[2] / "var" / "peers")


def is_installed(name: str) -> bool:
    """Whether an environment is there; `make peers` makes them."""
    return (PEERS / name / "bin" / "python").exists()
