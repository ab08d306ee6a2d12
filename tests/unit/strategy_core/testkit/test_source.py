"""What a module reaches for is found in its text."""

import pytest

from strategy_core.testkit.source import reaches


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import time", "import time (line 1)"),
        ("x = 1\nimport os.path as p", "import os.path (line 2)"),
        ("from urllib.request import urlopen", "from urllib.request import (line 1)"),
        ("def f():\n    import requests", "import requests (line 2)"),
        ("open('x')", "open() (line 1)"),
        ("import datetime\ndatetime.datetime.now()", "datetime.datetime.now() (line 2)"),
        ("from datetime import date\ndate.today()", "date.today() (line 2)"),
        ("import numpy as np\nnp.random.rand()", "np.random.rand (line 2)"),
        ("from numpy.random import rand", "from numpy.random import (line 1)"),
    ],
)
def test_what_reaches_outside_is_named_with_its_line(text: str, expected: str) -> None:
    assert [expected] == reaches(text)


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\nimport math\nfrom decimal import Decimal",
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
        "def f(setup):\n    return setup.generator.random(3)",
        "import numpy as np\ndef f(chance: np.random.Generator): ...",
        "class A:\n    def open(self): ...\nA().open()",
        "from . import mine",
    ],
)
def test_what_only_reckons_reaches_for_nothing(text: str) -> None:
    assert [] == reaches(text)
