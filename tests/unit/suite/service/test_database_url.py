"""A database on another machine is spoken to by TLS, unless the address says otherwise."""

import pytest

from suite.service.database_url import encrypted

HERE = (
    "",
    "embedded://./var/pg",
    "postgresql://anna:secret@127.0.0.1:5432/suite",
    "postgresql://localhost/suite",
    "postgresql://[::1]:5432/suite",
    "postgresql:///suite?host=/run/postgresql",
    "postgresql://anna@%2Frun%2Fpostgresql/suite",
    "postgres://[no address",
)
ELSEWHERE = (
    "postgresql://anna:secret@db.example.com:5432/suite",
    "postgres://anna@10.0.0.7/suite",
    "postgresql://127.0.0.1,10.0.0.7/suite",
    "postgresql:///suite?host=db.example.com",
    "postgresql://[2001:db8::1]:5432/suite?application_name=x",
)


@pytest.mark.parametrize("url", HERE)
def test_what_stays_on_this_machine_is_left_as_it_is(url: str) -> None:
    assert url == encrypted(url)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_what_leaves_it_is_encrypted(url: str) -> None:
    assert f"{url}{'&' if '?' in url else '?'}sslmode=require" == encrypted(url)


@pytest.mark.parametrize("mode", ["disable", "verify-full", "prefer"])
def test_a_word_of_the_operators_stands(mode: str) -> None:
    url = f"postgresql://db.example.com/suite?sslmode={mode}"
    assert url == encrypted(url)
