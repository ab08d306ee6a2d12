"""What an agent may tell of itself: the manager asks there in its own name."""

import pytest
from pydantic import ValidationError

from trader_manager.entrypoint.claims import ClaimBody


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://127.0.0.1:8300", "https://agents.example.org/a/1", "http://agent-1:8300"),
        *("http://[::1]:8300", "http://10.0.0.5", "http://[fd00::5]:8300"),
    ],
)
def test_an_address_of_an_agent_is_taken(url: str) -> None:
    assert url == ClaimBody(holder="p/1", control_url=url).control_url


def test_a_slash_at_its_end_is_not_kept() -> None:
    """A path is put behind it."""
    assert "http://h:1" == ClaimBody(holder="p/1", control_url="http://h:1/").control_url


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://h:1", "http://", "http://:1", "h:1", "http://h h", "http://h\x00", "http://h\n"),
        *("http://10.0.0.5:83O0", "http://h:99999", "http://h:0", "http://[::1", "http://h:-1"),
        *("http://u:p@h:1", "http://@h", "http://h?x=", "http://h/latest?x=", "http://h#x"),
        *("http://h%2e:1", "http://h\\x:1", "http://h\u00f6:1"),
        *("http://169.254.169.254", "http://169.254.169.254/latest", "http://169.254.169.254.:80"),
        *("http://2852039166", "http://0xa9fea9fe", "http://169.254.43518", "http://0251.0376.1"),
        *("http://[fe80::1]:1", "http://[fe80::1%25eth0]:1", "http://[::ffff:169.254.169.254]"),
        *("http://[fd00:ec2::254]", "http://100.100.100.200", "http://[::ffff:100.100.100.200]"),
        *("http://0.0.0.0:8300", "http://0:8300", "http://[::]:8300", "http://[::ffff:0.0.0.0]"),
    ],
)
def test_what_is_no_address_of_an_agent_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="write http://host:port"):
        ClaimBody(holder="p/1", control_url=url)


@pytest.mark.parametrize("token", ["t\u00f6ken", "a b", "a\nb"])
def test_a_token_that_no_header_takes_is_refused(token: str) -> None:
    with pytest.raises(ValidationError, match="control_token"):
        ClaimBody(holder="p/1", control_token=token)
