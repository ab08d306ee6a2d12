"""The reference of the APIs says what the services say."""

from tests.support.api_reference import FOLDER, pages


def test_pages_are_what_the_services_describe() -> None:
    """`python -m tests.support.api_reference` writes them anew."""
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert written == pages()
