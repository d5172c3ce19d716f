"""The builder of the bundle: what it replaces, and what it says of wheels that it cannot have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.connect.bundle import AT_ITS_ROOT, pinned_python, write, write_sources
from deploy.connect.wheels import download_wheels
from deploy.source_archive import Unusable

NAME = "one-1.0-py3-none-any.whl"


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip with none of this machine's set-up, and without an index."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.parametrize("names", [("notes.txt",), (".git/HEAD",), ("main.py", "deploy/connect/bundle.py", ".git/HEAD")])
def test_what_only_resembles_a_bundle_is_not_replaced(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A clone of the sources has connect.yaml, a checked-out tag all of a bundle: neither is lost for a slip in `--out`."""
    folder = tmp_path / "clone"
    write_sources(folder, pinned_python())
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    with pytest.raises(Unusable, match="is no bundle; name another folder"):
        write(folder, pinned_python())
    assert [(folder / name).read_text() for name in names] == ["mine"] * len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["clone"]


def test_neither_is_a_link_a_file_or_half_a_bundle(tmp_path: Path) -> None:
    """None of them was written by the builder."""
    bundle, half, link, file = (tmp_path / name for name in ("bundle", "half", "link", "file"))
    write_sources(bundle, pinned_python())
    write_sources(half, pinned_python())
    (half / "realtime_event" / "python.json").unlink()
    link.symlink_to(bundle)
    file.write_text("mine")
    for path in (half, link, file):
        with pytest.raises(Unusable, match="is no bundle; name another folder"):
            write(path, pinned_python())
    assert {path.name for path in bundle.iterdir()} == AT_ITS_ROOT


@pytest.mark.usefixtures("no_index")
def test_a_bundle_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    """It may be replaced, but stays where its wheels are not to be had; nothing half done is left."""
    bundle, empty = tmp_path / "bundle", tmp_path / "empty"
    write_sources(bundle, pinned_python())
    empty.mkdir()
    with pytest.raises(Unusable, match=rf"the wheels could not be had \(the folder {empty} has not all of them\):"):
        write(bundle, pinned_python(), empty)
    assert {path.name for path in bundle.iterdir()} == AT_ITS_ROOT
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", "empty"}


def _refused(tmp_path: Path, given: Path | None) -> str:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"one==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(Unusable) as refused:
        download_wheels(lock, pinned_python(), tmp_path / "wheels", given)
    return str(refused.value).splitlines()[0]


@pytest.mark.usefixtures("no_index")
def test_a_wheel_of_another_content_is_told_as_such(tmp_path: Path) -> None:
    """It is no matter of the network: whoever reads it looks at the wheel, or at the lock."""
    given = tmp_path / "given"
    given.mkdir()
    (given / NAME).write_bytes(b"another")
    assert "(one has another content than lock.txt says, and is not used)" in _refused(tmp_path, given)


@pytest.mark.usefixtures("no_index")
def test_a_wheel_that_is_nowhere_is_told_as_such(tmp_path: Path) -> None:
    """Not as an index that was not reached, for which tests are skipped."""
    told = _refused(tmp_path, None)
    assert "(one is nowhere where pip looks for it: the package index lacks it, or pip is set up to ask none)" in told


@pytest.mark.usefixtures("no_index")
def test_an_index_that_is_not_reached_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's own words tell it from one that lacks something."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert "(no package index was reached)" in _refused(tmp_path, None)
