"""Finds what looks like a secret in the files of the repository.

    python -m tests.support.secret_scan

What is known and harmless (keys of examples, test vectors) is in `known_secrets.txt` by the first
digits of its SHA-256, with the reason; so a secret is not let in because its neighbor was.
"""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
KNOWN: Final = Path(__file__).with_name("known_secrets.txt")
RULES: Final = {
    "64 hex digits, as a private key has them": (
        r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])"
    ),
    "a token of this suite": r"act_[A-Za-z0-9_-]{43}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a key of a cloud": r"(?<![A-Z0-9])AKIA[0-9A-Z]{16}",
    "a token of a code host": r"gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20}",
    "a key of a model provider": r"sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}",
    "a token of a chat": r"xox[abprs]-[0-9A-Za-z-]{20,}|(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{33}",
    "an address of a chat's webhook": r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}",
    "words of a wallet's seed": r"(?i)mnemonic\W{1,4}(?:[a-z]+ ){11,}[a-z]+",
}
_PATTERNS: Final = {name: re.compile(rule) for name, rule in RULES.items()}
_HASHES: Final = re.compile(r"sha256[:-]\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place; the secret itself is in no message.

    Attributes:
        digest: the first digits of its SHA-256, for the list of what is known.
    """

    path: str
    line: int
    rule: str
    digest: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule} (known_secrets.txt: {self.digest})"


def scan(path: str, text: str) -> Iterator[Finding]:
    """Find what looks like a secret in a text; checksums of locks are named as such."""
    for number, line in enumerate(_HASHES.sub("", text).splitlines(), 1):
        for rule, pattern in _PATTERNS.items():
            for found in pattern.finditer(line):
                digest = hashlib.sha256(found[0].encode()).hexdigest()[:16]
                yield Finding(path=path, line=number, rule=rule, digest=digest)


def known() -> Mapping[str, str]:
    """Read what is harmless, and why."""
    lines = (line.split(maxsplit=1) for line in KNOWN.read_text().splitlines())
    return {parts[0]: parts[1] for parts in lines if len(parts) == 2 and parts[0] != "#"}


def files() -> Iterable[Path]:
    """List what is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name.decode() for name in out.split(b"\0") if name]


def findings() -> Iterator[Finding]:
    """Find all in the repository that is not known."""
    harmless = known()
    for path in files():
        if not path.is_file():
            continue  # removed and not committed yet
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        text = data.decode("utf-8", "replace")
        for one in scan(str(path.relative_to(ROOT)), text):
            if one.digest not in harmless:
                yield one


def main() -> int:
    """Tell what was found; 1 where there is anything."""
    found = list(findings())
    for one in found:
        sys.stdout.write(f"{one}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
