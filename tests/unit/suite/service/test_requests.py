"""What a request asks for: parameters that do not exist, and the form of the answer."""

import pytest

from suite.errors import BadRequest
from suite.service.requests import prefers, refuse_unknown_query

SPECIAL, USUAL = "application/special", "application/json"


def test_parameter_that_does_not_exist_is_refused_with_those_that_do() -> None:
    refuse_unknown_query(["start"], ["start", "end"])
    with pytest.raises(BadRequest, match="unknown query parameter 'from'; there are start, end"):
        refuse_unknown_query(["start", "from"], ["start", "end"])
    with pytest.raises(BadRequest, match="there are none"):
        refuse_unknown_query(["x"], [])


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("application/*", False),
        (SPECIAL, True),
        (SPECIAL.upper(), True),
        (f"{SPECIAL};q=0", False),
        (f"{SPECIAL}; q=0.0, */*", False),
        (f"{SPECIAL};q=0.5", True),
        (f"{SPECIAL};q=0.5, */*;q=0.8", False),
        (f"{SPECIAL};q=0.5, application/*;q=0.4, */*;q=0.8", True),
        (f"{SPECIAL}, {USUAL}", True),
        (f"{USUAL}, {SPECIAL};q=0.9", False),
        (f"{SPECIAL};q=much", False),
        (f"{SPECIAL}more", False),
    ],
)
def test_special_form_is_for_whoever_names_it_and_wants_it(accept: str, *, expected: bool) -> None:
    assert expected == prefers(accept, SPECIAL, USUAL)
