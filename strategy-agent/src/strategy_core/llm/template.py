"""Templates of prompts: plain text in sections, with named variables, made to be compared.

    template: arena 1

    == system
    You trade {{coins}} ...

    == coin
    {{coin}} now {{price}} ...

    == position
    ...

    == user
    {{coin_blocks}} {{position_blocks}} ...

    == again
    {{problems}} ...

`system` and `user` are the two messages of a question. `coin` is rendered for each coin and
`position` for each position; they stand where `user` says `{{coin_blocks}}` and
`{{position_blocks}}`. `again` is said after an answer that could not be read. Which variables there
are is in `VARIABLES`; one that is not known is refused when the trader is built.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strategy_core.port import Worthless
from suite.contracts.trader import near

LENGTH_MAX: Final = 32 * 1024
_HEADER: Final = re.compile(r"template: *([A-Za-z0-9_-]{1,40}) +(\d{1,6})\s*\n")
_SECTION: Final = re.compile(r"^== *(\w+) *$", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Known:
    """A value in a prompt.

    Attributes:
        text: as it stands there.
        since_ms: when it became known; what is known of the trader itself is known from 0 on.
    """

    text: str
    since_ms: int = 0


class BadTemplate(ValueError):
    """A text that is no template; the message names the line, the section or the variable."""


class FutureSeen(Worthless):
    """A value was about to be shown before it was known: the run is worth nothing."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, checked.

    Attributes:
        name, version: of its first line.
        digest: of its text, to tell two of one version apart.
        sections: texts by name.
    """

    name: str
    version: int
    digest: str
    sections: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.name} {self.version} sha256:{self.digest[:12]}"

    def names(self, section: str, variable: str) -> bool:
        """Whether a section has a variable."""
        return variable in _VARIABLE.findall(self.sections[section])

    def render(self, section: str, values: Mapping[str, Known], now_ms: int) -> Known:
        """Put values in the place of variables.

        Args:
            section: which.
            values: at least those that the section names.
            now_ms: the clock that no value may be ahead of.

        Returns:
            The text, known since the latest of its values was.

        Raises:
            FutureSeen: a value would be known only later.
        """
        latest = 0

        def put(match: re.Match[str]) -> str:
            nonlocal latest
            value = values[match[1]]
            if value.since_ms > now_ms + SKEW_MS:
                raise FutureSeen(
                    f"{match[1]} of the template {self} is known from {value.since_ms} on, and it "
                    f"is {now_ms}: a prompt would have shown the future"
                )
            latest = max(latest, value.since_ms)
            return value.text

        return Known(_VARIABLE.sub(put, self.sections[section]).strip(), latest)


SKEW_MS: Final = 2_000
"""How far two machines' clocks may be apart. No bar is so short: in a backtest, whose times are
bounds of bars, it excuses nothing."""


def parse_template(text: str, variables: Mapping[str, Mapping[str, str]]) -> Template:
    """Read a template.

    Args:
        text: of it.
        variables: those of each section, with what they mean.

    Raises:
        BadTemplate: it is none, a section is missing, or a variable is not known.
    """
    if len(text) > LENGTH_MAX:
        raise BadTemplate(f"a template has at most {LENGTH_MAX} characters")
    header = _HEADER.match(text)
    if header is None:
        raise BadTemplate("the first line of a template is `template: NAME VERSION`")
    parts = _SECTION.split(text[header.end() :])
    sections = {name: part.strip("\n") for name, part in zip(parts[1::2], parts[2::2], strict=True)}
    if len(sections) * 2 != len(parts) - 1:
        raise BadTemplate("a section stands twice in the template")
    for name in sections:
        if name not in variables:
            known = ", ".join(variables)
            raise BadTemplate(f"unknown section == {name}; there are {known}")
    for name in variables:
        if not sections.get(name, "").strip():
            raise BadTemplate(f"the section == {name} is missing")
    for name, part in sections.items():
        for variable in _VARIABLE.findall(part):
            if variable not in variables[name]:
                raise BadTemplate(
                    f"unknown variable {{{{{variable[:40]}}}}} in the section == {name}"
                    f"{near(variable, variables[name])}"
                )
    return Template(
        name=header[1],
        version=int(header[2]),
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        sections=sections,
    )
