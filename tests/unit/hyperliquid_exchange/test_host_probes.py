"""What is found out about the machine."""

import stat
from pathlib import Path

from tests.support.live_accounts import write_key

from hyperliquid_exchange.adapters import host_probes
from suite.addresses import derived_address


def address_of(secret: str) -> str:
    from coincurve import PrivateKey

    key = PrivateKey(bytes.fromhex(secret))
    return derived_address(key.public_key.format(compressed=False)[1:])


SECRET = "17" * 32
ADDRESSES = frozenset({address_of(SECRET)})


def test_machine_is_looked_at(tmp_path: Path) -> None:
    """Values of the kind that the checks judge."""
    assert host_probes.has_native_curve()
    assert not host_probes.is_optimized()
    assert 0 < host_probes.disk_free(tmp_path) <= 1
    assert host_probes.open_files_max() > 0
    assert host_probes.has_capabilities() in {True, False}


def test_disk_is_tried_where_the_journal_will_be(tmp_path: Path) -> None:
    """And nothing is left behind."""
    times = host_probes.fsync_times_ms(tmp_path / "state")
    assert times
    assert min(times) > 0
    assert [] == list((tmp_path / "state").iterdir())


def test_mode_and_owner_of_a_file_are_told(tmp_path: Path) -> None:
    write_key(tmp_path / "a.key", SECRET)
    assert (0o400, True) == host_probes.mode_of(tmp_path / "a.key")
    (tmp_path / "link").symlink_to(tmp_path / "a.key")
    for name in ("link", "none", "."):
        assert (None, False) == host_probes.mode_of(tmp_path / name)


def test_key_of_an_account_is_found_wherever_it_is_written(tmp_path: Path) -> None:
    """With and without 0x, in capitals; digits of another length or another key are none."""
    for place, text in enumerate(
        (SECRET, f"key=0x{SECRET.upper()}", f"a{SECRET}", f"{SECRET}0", "18" * 32, "f" * 64)
    ):
        (tmp_path / f"{place}.env").write_text(text)
    paths = [tmp_path / f"{place}.env" for place in range(7)]
    found = host_probes.leaked_keys({"HOME": "/", "X": f"0x{SECRET}"}, paths, ADDRESSES)
    assert ("the variable X", str(paths[0]), str(paths[1])) == found
    assert not any(SECRET in place for place in found)
    assert () == host_probes.leaked_keys({"X": SECRET}, paths, frozenset())


def test_permission_bits_are_those_of_the_file(tmp_path: Path) -> None:
    write_key(tmp_path / "a.key", SECRET, mode=0o644)
    mode, _ = host_probes.mode_of(tmp_path / "a.key")
    assert mode == stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
