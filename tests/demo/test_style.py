"""What the page is made up with is what it looks like: every class has its rule, and no rule is left over."""

from __future__ import annotations

import re

from selfdepth.demo.run import Demo
from selfdepth.demo.style import STYLE


def test_every_class_of_the_page_has_a_rule_and_every_rule_a_class(done: Demo) -> None:
    page = done.path.read_text(encoding="utf-8")
    used = {name for names in re.findall(r" class=['\"]([\w ]+)['\"]", page) for name in names.split()}
    ruled = set(re.findall(r"\.([a-z]\w*)\b(?=[^{}]*\{)", re.sub(r"\{[^{}@]*\}", "{}", STYLE)))
    assert used == ruled


def test_the_style_refers_to_nothing_outside_and_its_braces_match() -> None:
    assert not re.search(r"url\(|@import|https?:", STYLE)
    assert STYLE.count("{") == STYLE.count("}")
    variables = set(re.findall(r"var\((--\w+)\)", STYLE))
    assert variables == set(re.findall(r"(--\w+):", STYLE))
