"""docs/releasing.md says what the workflow of a release does."""

from __future__ import annotations

import re
import tomllib

from docs_pages import ROOT, page

PAGE = page("docs/releasing.md")
WORKFLOW = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8").replace("$GITHUB_REF_NAME", "vX.Y.Z")


def test_the_files_of_a_release_are_those_that_the_workflow_makes() -> None:
    """The packages under the project's name, and what is put beside them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"].replace("-", "_")
    packages = {f"{project}-X.Y.Z-py3-none-any.whl", f"{project}-X.Y.Z.tar.gz"}
    assert "hatchling build --target wheel --target sdist" in WORKFLOW
    listed = {row[0].strip("`") for row in PAGE.table("The tag")}
    assert listed == packages | set(re.findall(r'"?dist/([\w.-]+)"', WORKFLOW))


def test_the_tags_of_a_release_are_those_of_the_workflow() -> None:
    """The one that starts it, and the bundle's, which it pushes."""
    assert 'tags: ["v*"]' in WORKFLOW
    assert re.findall(r'push-bundle --tag "([^"]+)"', WORKFLOW) == ["connect-vX.Y.Z"]
    assert "connect-vX.Y.Z" in PAGE.spans
    assert {"git tag vX.Y.Z", "git push origin vX.Y.Z"} <= set(PAGE.commands())


def test_the_check_before_the_tag_is_the_one_of_the_workflow() -> None:
    """Tag, version and changelog."""
    assert "python deploy/release_notes.py vX.Y.Z" in PAGE.commands()
    assert 'python deploy/release_notes.py "vX.Y.Z"' in WORKFLOW
