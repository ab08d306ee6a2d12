"""Looking for a secret in every form that it may leave in."""

import base64
import urllib.parse
from collections.abc import Iterator
from pathlib import Path


def forms_of(secret: bytes) -> dict[str, bytes]:
    """A key as it may be found: by name of the form."""
    text = secret.hex()
    found = {
        "hex": text,
        "upper hex": text.upper(),
        "half of the hex": text[:32],
        "other half": text[32:],
        "base64": base64.b64encode(secret).decode().rstrip("="),
        "base64 for addresses": base64.urlsafe_b64encode(secret).decode().rstrip("="),
        "base64 of the hex": base64.b64encode(text.encode()).decode().rstrip("=")[:80],
        "quoted for addresses": urllib.parse.quote_from_bytes(secret),
        "number": str(int.from_bytes(secret, "big")),
        "repr": repr(secret)[2:-1],
    }
    return {name: form.encode() for name, form in found.items()} | {"bytes": secret}


def leaks(secrets: dict[str, bytes], places: dict[str, bytes]) -> list[str]:
    """Search places for secrets; what was found where."""
    return [
        f"{name} as {form} in {place}"
        for name, secret in secrets.items()
        for form, text in forms_of(secret).items()
        for place, content in places.items()
        if text in content
    ]


def contents_below(folder: Path, *, but: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    """Read every file below a folder, except those below some folders in it."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith(but):
            yield name, path.read_bytes()


def process_listings() -> Iterator[tuple[str, bytes]]:
    """What the system shows of all processes: command lines and environments."""
    for process in Path("/proc").iterdir():
        for part in ("cmdline", "environ") if process.name.isdigit() else ():
            try:
                yield f"/proc/{process.name}/{part}", (process / part).read_bytes()
            except OSError:
                continue
