"""Whatever a page points to is there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from docs_pages import Page, page, pages

PAGES = pages()
MACHINE_PATHS = re.compile(r"(?<![\w.$}-])/(?:work|home|root|tmp|Users|opt|var|mnt)/")


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_every_link_leads_somewhere(shown: Page) -> None:
    """Files and anchors exist; addresses on the web are https, or loopback."""
    for link in shown.links:
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https" or parts.hostname == "127.0.0.1", link
            assert parts.hostname, link
            continue
        target = (shown.path.parent / parts.path).resolve() if parts.path else shown.path
        assert target.exists(), f"{shown.name} points to {link}, which does not exist"
        if parts.fragment:
            assert parts.fragment in Page(target).anchors, f"{shown.name} points to {link}, but there is no such heading"


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_no_page_names_a_path_of_somebodys_machine(shown: Page) -> None:
    """A reader has another machine."""
    assert MACHINE_PATHS.search(shown.text) is None


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Nobody has to guess that a page exists."""
    reached, waiting = set(), [page("README.md")]
    while waiting:
        shown = waiting.pop()
        if shown.path in reached:
            continue
        reached.add(shown.path)
        targets = (shown.path.parent / urlsplit(link).path for link in shown.links if not urlsplit(link).scheme)
        waiting += [Page(target.resolve()) for target in targets if target.suffix == ".md" and target.exists()]
    assert {shown.path for shown in PAGES} <= reached


def test_links_and_anchors_are_found_at_all() -> None:
    """The test's own reading of Markdown sees links of every form, and headings as GitHub names them."""
    readme = page("README.md")
    assert "docs/cli.md" in readme.links
    assert "http://127.0.0.1:6779/" in readme.links
    assert "where-it-runs" in readme.anchors
    assert "moving-over-from-klaviyos-own-node-plugin" in readme.anchors
    assert "post-synckind" in page("docs/import-api.md").anchors
    assert any("github.com" in link for link in page("docs/klaviyo-behaviour.md").links)
