"""Comments cite the design by document and section; docs/design-references.md says what each of these holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docs_pages import ROOT, page

PAGE = page("docs/design-references.md")
DOCUMENTS = (
    "product",
    "http-api",
    "mapping",
    "configuration",
    "flows",
    "decisions",
    "klaviyo",
    "commercetools",
    "platform",
    "reference",
)
CITATION = re.compile(
    rf'(?<![\w/-])({"|".join(DOCUMENTS)})\.md(?: "([^"\n]+)"| ((?:\d[\d.]*\d|\d)(?: [a-z]\b)?(?:, (?:\d[\d.]*\d|\d))*))?'
)


def cited() -> Iterator[tuple[str, str]]:
    """Document and section of every citation in the code; an empty section for a document as a whole."""
    folders = ("shared", "functions", "post_deploy", "sandbox", "tests")
    paths = [ROOT / "main.py", ROOT / "pyproject.toml", *(path for name in folders for path in (ROOT / name).rglob("*.py"))]
    for path in paths:
        if path.parent == ROOT / "tests" / "unit" / "docs":
            continue
        text = re.sub(r"\s*\n\s*#?\s*", " ", path.read_text(encoding="utf-8"))
        for document, heading, numbers in CITATION.findall(text):
            for section in [heading] if heading else numbers.split(", "):
                yield f"{document}.md", section


def explained() -> set[tuple[str, str]]:
    """Document and section of every row; the first column is the citation as comments write it."""
    found = set()
    for row in PAGE.table("Sections"):
        document, _, section = row[0].replace("`", "").partition(" ")
        found.add((document, section.strip('"')))
    return found


def test_every_citation_is_explained() -> None:
    """Whoever reads the code has the rule that a comment appeals to, without the document itself."""
    citations = set(cited())
    assert len(citations) > 30
    assert citations - explained() == set()


def test_every_document_that_is_cited_is_introduced() -> None:
    """The first table says what a name stands for."""
    assert {f"{name}.md" for name in DOCUMENTS} == PAGE.codes("Documents")
