"""The document of the live page: whole in itself, and allowed to do no more than it does."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from selfdepth.live.page_text import PAGE, POLICY


@pytest.mark.parametrize(("tag", "directive"), [("script", "script-src"), ("style", "style-src")])
def test_the_policy_allows_the_pages_own_text_and_no_other(tag: str, directive: str) -> None:
    texts = re.findall(f"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(texts[0].encode()).digest()).decode()
    assert len(texts) == 1 and f"{directive} 'sha256-{digest}'" in POLICY
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY


def test_the_page_asks_no_other_address() -> None:
    assert "//" not in re.sub(r"<!.*?>", "", PAGE)


def test_every_element_that_the_program_fills_is_there() -> None:
    wanted = set(re.findall(r'at\("(\w+)"\)', PAGE))
    assert wanted and wanted <= set(re.findall(r'id="(\w+)"', PAGE))


def test_texts_of_strangers_are_shown_as_text() -> None:
    # The name of a source may be anything.
    assert "innerHTML" not in PAGE and "document.write" not in PAGE and 'at("name").textContent' in PAGE
