"""Text from outside, made fit to stand in a prompt: as data, in quotes, and not for long.

What others have written (headlines, names, errors, even a model's own notes) may try to speak to
the model as its user does. It is never pasted into a sentence: it is normalized, what cannot be
seen is taken out, it is cut, and it stands as one JSON string. The template says that whatever is
in such a string is not an instruction; that this can fail is why the guard exists.
"""

import json
import re
import unicodedata
from typing import Final

from suite.fixed import is_decimal

CAP: Final = 280
"""Characters of a text, unless said otherwise."""
COIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:@_-]{0,23}", re.ASCII)
"""What a coin may be called: letters that look like others are none of it."""
_SPACE: Final = re.compile(r"\s+")
_MARKS: Final = str.maketrans({"<": "(", ">": ")", "`": "'", "{": "(", "}": ")", "|": "/"})
"""What delimits roles, fences and variables anywhere gets another look."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


def quoted(text: object, cap: int = CAP) -> str:
    """Put a text from outside into quotes.

    Args:
        text: anything; what is no text is told by its name.
        cap: characters kept; the rest is replaced by an ellipsis.

    Returns:
        One line, a JSON string.
    """
    return json.dumps(plain(text, cap), ensure_ascii=False)


def plain(text: object, cap: int = CAP) -> str:
    """Bring a text from outside into one short line of visible characters."""
    shown = unicodedata.normalize("NFKC", str(text)[: 8 * cap])
    shown = "".join(
        " " if sign.isspace() else sign
        for sign in shown
        if sign.isspace() or unicodedata.category(sign) not in _INVISIBLE
    )
    shown = _SPACE.sub(" ", shown).strip().translate(_MARKS)
    return shown if len(shown) <= cap else f"{shown[: cap - 1]}…"


def amount(text: object) -> str:
    """Show a number that others wrote; anything else is not known."""
    return text if isinstance(text, str) and is_decimal(text) else "unknown"


def name_of(coin: str) -> str:
    """Show the name of a coin that others wrote; in quotes where it is no fit one."""
    return coin if is_coin_name(coin) else quoted(coin, 24)


def is_coin_name(name: str) -> bool:
    """Whether a coin's name is fit to stand in a prompt as it is."""
    return COIN_NAME.fullmatch(name) is not None
