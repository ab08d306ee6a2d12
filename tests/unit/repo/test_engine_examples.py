"""The Python of docs/engine.md runs as it is written."""

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "engine.md"


def test_examples_run(tmp_path: Path) -> None:
    """One after another, each file example under its name."""
    script = []
    for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL):
        named = re.match(r"# (\w+\.py)\n", block)
        if named:
            (tmp_path / named[1]).write_text(block)
        else:
            script.append(block)
    assert len(script) >= 3
    (tmp_path / "script.py").write_text("\n".join(script))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Fill(" in done.stdout
    assert "liquidation_price" in done.stdout
