"""Print the installed distributions that a service does not need, one a line.

    python needless.py virtual-exchange [EXTRA,EXTRA]

An image begins with everything that is locked, since that is one layer of all images, and lets go
of what neither the service nor its extras ask for, directly or through others.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import distribution, distributions
from typing import Final

from pip._vendor.packaging.requirements import Requirement

EXTRAS: Final = ("service", "embedded", "kubernetes", "llm", "reports", "otel", "redis", "")
"""Of the service itself: what it serves with, its database, its cluster, its traces, its cache."""


def plain(name: str) -> str:
    """Write a name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Tell what a distribution asks for here, with extras."""
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        marker = wanted.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield plain(wanted.name), frozenset(wanted.extras)


def closure(name: str, extras: frozenset[str], installed: frozenset[str]) -> set[str]:
    """Find everything that a distribution needs, itself too."""
    found: dict[str, frozenset[str]] = {}
    waiting = [(plain(name), extras)]
    while waiting:
        name, extras = waiting.pop()
        if name not in installed or (name in found and extras <= found[name]):
            continue
        found[name] = found.get(name, frozenset()) | extras
        waiting += needs(name, found[name])
    return set(found)


def main() -> int:
    """Print them."""
    service, more = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    installed = frozenset(plain(one.metadata["Name"]) for one in distributions())
    kept = closure(service, frozenset({*EXTRAS, *more.split(",")}), installed)
    sys.stdout.writelines(f"{name}\n" for name in sorted(installed - kept - {"pip"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
