"""The dashboard's files: small, our own, and allowed to do nothing but what they are for."""

import gzip
import re

import httpx
import pytest
from fastapi import FastAPI

from portfolio_service.entrypoint.web import POLICY, add_web, read_files

FILES = read_files()
OWN = {name: one.body.decode() for name, one in FILES.items() if "lightweight" not in name}
WEIGHT_MAX = 600_000
NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    add_web(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")


def test_all_pages_together_weigh_no_more_than_they_may() -> None:
    assert sum(len(one.body) for one in FILES.values()) <= WEIGHT_MAX


async def test_page_may_run_and_fetch_nothing_that_is_not_ours(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert POLICY == policy
    assert "'none'" == rules["default-src"]
    assert {"'self'"} == {rules[name] for name in ("script-src", "style-src", "connect-src")}
    assert "unsafe" not in policy
    assert "'none'" == rules["frame-ancestors"]


@pytest.mark.parametrize("name", sorted(OWN))
def test_no_file_names_another_host(name: str) -> None:
    assert [] == re.findall(
        r"(?:https?:)?//[a-z0-9][a-z0-9.-]+\.[a-z]{2,}[^\s\"']*", OWN[name].replace(NAMESPACE, "")
    )


def test_html_has_no_script_and_no_style_of_its_own() -> None:
    page = OWN["index.html"]
    assert [] == re.findall(r"<script(?![^>]*\bsrc=)", page)
    assert [] == re.findall(r"<style|\sstyle=|\son[a-z]+=", page)


def test_data_is_never_put_in_as_markup() -> None:
    markup = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\("
    )
    assert {} == {name: found for name, text in OWN.items() if (found := markup.findall(text))}


def test_pages_wait_for_pushes_and_do_not_ask_again_and_again() -> None:
    assert [] == [name for name, text in OWN.items() if "setInterval" in text]


async def test_what_a_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/style.css")
    again = await client.get("/style.css", headers={"if-none-match": first.headers["etag"]})
    other = await client.get("/style.css", headers={"if-none-match": '"another"'})
    assert (200, 304, 200) == (first.status_code, again.status_code, other.status_code)
    assert b"" == again.content
    assert "no-cache" == first.headers["cache-control"]


async def test_what_is_sent_compressed_is_the_same(client: httpx.AsyncClient) -> None:
    plain = await client.get("/app.js", headers={"accept-encoding": "identity"})
    packed = await client.get("/app.js", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert "gzip" == packed.headers["content-encoding"]
    assert plain.content == packed.content == gzip.decompress(FILES["app.js"].packed)


async def test_what_is_vendored_comes_with_its_licence(client: httpx.AsyncClient) -> None:
    assert "Apache License" in (await client.get("/lightweight-charts.LICENSE")).text
    assert "TradingView" in (await client.get("/lightweight-charts.NOTICE")).text


def test_modules_import_only_what_is_there() -> None:
    for name, text in OWN.items():
        folder = name.rpartition("/")[0]
        for path in re.findall(r"(?:from|import\()\s*[\"'](\.[^\"'`$]+)[\"']", text):
            parts = [*(folder.split("/") if folder else []), *path.split("/")]
            found: list[str] = []
            for part in parts:
                if part == "..":
                    found.pop()
                elif part != ".":
                    found.append(part)
            assert "/".join(found) in FILES, f"{name} imports {path}"
