"""Write what the suite consists of: a CycloneDX bill of materials, and a list of licenses.

    python deploy/supply/sbom.py requirements.lock reports

Names, versions and hashes are those of the lock, licenses those that the installed packages state.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

_PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_UNKNOWN: Final = "not stated"


def pins(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Read names, versions and hashes of a lock."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        if found := _PIN.match(block):
            yield found[1], found[2], _HASH.findall(block)


def license_of(name: str) -> str:
    """Say what a package states, by its newest form first."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    if expression := stated.get("License-Expression"):
        return expression
    classified = [
        one.rpartition(" :: ")[2]
        for one in stated.get_all("Classifier") or ()
        if one.startswith("License ::")
    ]
    text = (stated.get("License") or "").strip().partition("\n")[0][:60]
    return " or ".join(dict.fromkeys(classified)) or text or _UNKNOWN


def bill(rows: list[tuple[str, str, list[str]]]) -> str:
    """Make the bill of materials, as JSON."""
    bom = Bom()
    root = Component(
        name="autocryptotrader", type=ComponentType.APPLICATION, bom_ref="autocryptotrader"
    )
    bom.metadata.component = root
    for name, version, hashes in rows:
        bom.components.add(
            Component(
                type=ComponentType.LIBRARY,
                name=name,
                version=version,
                bom_ref=f"{name}=={version}",
                purl=PackageURL("pypi", name=name, version=version),
                licenses=[DisjunctiveLicense(name=license_of(name))],
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes],
            )
        )
    bom.register_dependency(root, bom.components)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def main(lock: str, folder: str) -> None:
    """Write both files."""
    rows, out = list(pins(Path(lock).read_text())), Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "sbom.json").write_text(bill(rows))
    lines = sorted(f"{name} {version}: {license_of(name)}" for name, version, _ in rows)
    (out / "licenses.txt").write_text("\n".join(lines) + "\n")
    sys.stdout.write(f"{len(rows)} packages in {out}/sbom.json and {out}/licenses.txt\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
