"""Seeds that once failed."""

from pathlib import Path
from typing import Final

KEPT: Final = Path(__file__).with_name("seeds.txt")


def kept_seeds() -> tuple[int, ...]:
    """Those that are lived through before all others, oldest first."""
    lines = (line.split() for line in KEPT.read_text().splitlines())
    return tuple(int(words[0]) for words in lines if words and words[0] != "#")


def keep(seed: int, problem: str) -> None:
    """Have a seed run first from now on."""
    if seed not in kept_seeds():
        with KEPT.open("a") as file:
            file.write(f"{seed}  {problem[:150]}\n")
