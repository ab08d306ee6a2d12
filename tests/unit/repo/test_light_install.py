"""What is installed on Linux has no GPU code in it: hundreds of megabytes that nothing calls."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = re.compile(r"nvidia|cuda|cupy|torch|tensorflow|triton")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_xgboost_is_the_build_without_gpu_code(name: str) -> None:
    pins = re.findall(
        r"(?m)^([a-z0-9._-]+)==([^\s;]+)(?: ; ([^\\\n]+))?", (ROOT / name).read_text()
    )
    found = {package: (version, marker.strip()) for package, version, marker in pins}
    assert not [package for package in found if HEAVY.search(package)]
    assert "sys_platform == 'linux'" == found["xgboost-cpu"][1]
    assert (found["xgboost-cpu"][0], "sys_platform != 'linux'") == found["xgboost"]
