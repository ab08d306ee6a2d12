"""The bill of materials names everything that is locked, by hash, and every license is known."""

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[3]
SBOM = runpy.run_path(str(ROOT / "deploy" / "supply" / "sbom.py"))
ELSEWHERE = "not installed here"
"""Of another system, or brought by hand."""


def test_it_names_everything_that_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    rows = list(SBOM["pins"](lock))
    bill = json.loads(SBOM["bill"](rows))
    assert ("CycloneDX", "1.6") == (bill["bomFormat"], bill["specVersion"])
    listed = {(one["name"], one["version"]): one for one in bill["components"]}
    assert {(name, version) for name, version, _ in rows} == set(listed)
    for name, version, hashes in rows:
        assert hashes, name
        shown = {one["content"] for one in listed[name, version]["hashes"]}
        assert set(hashes) == shown


def test_no_license_asks_for_more_than_a_notice() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for name, _, _ in SBOM["pins"](lock):
        stated = SBOM["license_of"](name)
        assert stated != "not stated", name
        # Weak forms (LGPL, MPL) are for libraries that are used as they are.
        assert not any(
            word in {"GPL", "AGPL", "GPLv2", "GPLv3", "AGPLv3"}
            for word in stated.replace("-", " ").split()
        ), name
