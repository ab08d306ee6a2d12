"""A build is named by its code."""

from pathlib import Path

from suite.service.build import build_hash


def test_build_hash_is_that_of_the_code(tmp_path: Path) -> None:
    """The same each time, another for other packages and for another plugin."""
    first = build_hash("hyperliquid_exchange")
    assert first == build_hash("hyperliquid_exchange")
    assert first != build_hash("hyperliquid_exchange", "suite")
    assert 64 == len(first)
    plugin = tmp_path / "mine.py"
    plugin.write_text("x = 1\n")
    with_plugin = build_hash("hyperliquid_exchange", modules=[plugin])
    assert first != with_plugin
    plugin.write_text("x = 2\n")
    assert with_plugin != build_hash("hyperliquid_exchange", modules=[plugin])
