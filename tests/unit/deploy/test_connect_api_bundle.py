"""The bundle becomes a tag of its own: its root is the bundle's, and nothing else of the repository is touched."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from connect_api_world import GIT_ENVIRON, git

from deploy.connect.bundle import pinned_python, write_sources
from deploy.connect.contents import faults
from deploy.connect.wheels import lock_of
from deploy.connect_api import bundle as subject
from deploy.connect_api.errors import GitFailed
from deploy.connect_api.output import Output
from shared.errors import ConfigError
from shared.version import VERSION

TAG = "connect-v0.1.0"
APPLICATION = "realtime_event"
WHEELS = {"one-1.0-py3-none-any.whl": b"\r\n\x00\n", "two-2.0-py3-none-any.whl": b"two"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle of this checkout, but for its wheels, which are two small ones, and `lock.txt`, which has them."""
    folder = tmp_path_factory.mktemp("made")
    write_sources(folder / "bundle", pinned_python())
    wheels = folder / "bundle" / APPLICATION / "wheels"
    wheels.mkdir()
    for name, content in WHEELS.items():
        (wheels / name).write_bytes(content)
    (wheels / "requirements.txt").write_text(lock_of(wheels))
    digests = [(name, hashlib.sha256(content).hexdigest()) for name, content in WHEELS.items()]
    (folder / "lock.txt").write_text(
        "".join(
            f"{name.split('-')[0]}=={name.split('-')[1]} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest}\n"
            for name, digest in digests
        )
    )
    return folder


class Shop:
    """A clone of a repository with sources, the bare repository it pushes to, and a bundle in its build folder."""

    def __init__(self, folder: Path, made: Path) -> None:
        self.lock = made / "lock.txt"
        self.remote, self.work = folder / "remote.git", folder / "work"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        git(folder, "init", "--quiet", "--initial-branch=main", str(self.work))
        git(self.work, "remote", "add", "origin", str(self.remote))
        (self.work / ".gitignore").write_text("build\n*.whl\n")
        (self.work / ".gitattributes").write_text("* text=auto eol=crlf\n")
        (self.work / "source.py").write_text("print()\n")
        git(self.work, "add", ".")
        git(self.work, "commit", "--quiet", "--message", "sources")
        (self.work / "source.py").write_text("print('staged')\n")
        git(self.work, "add", "source.py")
        (self.work / "source.py").write_text("print('not staged')\n")
        self.bundle = self.work / "build" / "connect"
        shutil.copytree(made / "bundle", self.bundle)
        (self.bundle / APPLICATION / "python.sh").chmod(0o755)

    def repository(self, environ: Mapping[str, str] = GIT_ENVIRON) -> subject.Repository:
        return subject.Repository(self.work, environ)

    def push(self, tag: str = TAG, environ: Mapping[str, str] = GIT_ENVIRON) -> str:
        return subject.push(
            self.repository(environ), self.bundle, tag, "origin", Output(io.StringIO(), io.StringIO(), masks=False), self.lock
        )


@pytest.fixture
def bundle(tmp_path: Path, made: Path) -> Path:
    """A copy that may be changed."""
    return shutil.copytree(made / "bundle", tmp_path / "bundle")


@pytest.fixture
def shop(tmp_path: Path, made: Path) -> Shop:
    """With changes in work tree and index."""
    return Shop(tmp_path, made)


def test_the_tags_root_is_the_bundle(shop: Shop) -> None:
    """With its bytes and modes, whatever attributes and ignore rules the repository has, and without a past."""
    commit = shop.push()
    listed = git(shop.remote, "ls-tree", "-r", f"refs/tags/{TAG}").splitlines()
    files = [path.relative_to(shop.bundle).as_posix() for path in shop.bundle.rglob("*") if path.is_file()]
    modes = dict.fromkeys(files, "100644") | {f"{APPLICATION}/python.sh": "100755"}
    assert {line.partition("\t")[2]: line.split()[0] for line in listed} == modes
    raw = git(shop.remote, "cat-file", "-s", f"refs/tags/{TAG}:{APPLICATION}/wheels/one-1.0-py3-none-any.whl")
    assert raw == "4"
    assert git(shop.remote, "rev-list", f"refs/tags/{TAG}") == commit
    assert git(shop.work, "rev-parse", "HEAD") in git(shop.remote, "show", "--no-patch", "--format=%s", commit)


def test_nothing_else_is_touched(shop: Shop) -> None:
    """Work tree, index, branches and the clone's own tags."""

    def state() -> tuple[str, str, str]:
        return git(shop.work, "status", "--porcelain"), git(shop.work, "for-each-ref"), git(shop.work, "ls-files", "--stage")

    before = state()
    assert before[0] == "MM source.py"
    shop.push()
    assert state() == before
    assert git(shop.remote, "for-each-ref", "--format=%(refname)") == f"refs/tags/{TAG}"


def test_the_same_bundle_is_the_same_commit(shop: Shop) -> None:
    """Whenever it is made; pushing it again is content with the tag that is there."""
    first = shop.push()
    again = subject.committed(shop.repository(), shop.bundle)
    assert shop.push() == first == again
    assert shop.push("another-tag") == first


def test_the_same_content_from_another_commit_is_the_same_tree(shop: Shop) -> None:
    """A tag with the same content stays as it is, also in a clone that has never seen it."""
    first = shop.push()
    git(shop.work, "commit", "--quiet", "--message", "more")
    assert subject.committed(shop.repository(), shop.bundle) != first
    assert shop.push() == first


def test_a_tag_is_never_moved(shop: Shop) -> None:
    """Who has validated it has validated its content."""
    git(shop.work, "push", "--quiet", "origin", f"HEAD:refs/tags/{TAG}")
    with pytest.raises(GitFailed, match="exists with other content"):
        shop.push()
    assert git(shop.remote, "rev-parse", f"refs/tags/{TAG}") == git(shop.work, "rev-parse", "HEAD")


@pytest.mark.parametrize("tag", ["with space", "a..b", ".hidden", "x~1"])
def test_a_name_that_git_does_not_allow_is_refused(shop: Shop, tag: str) -> None:
    """Before anything is made."""
    with pytest.raises(ConfigError, match="--tag"):
        shop.push(tag)


def test_what_is_no_bundle_is_refused(shop: Shop) -> None:
    """A folder without connect.yaml, a repository of its own, files that GitHub does not take."""
    with (shop.bundle / "large.whl").open("wb") as large:
        large.truncate(subject.LARGEST_FILE_BYTES + 1)
    with pytest.raises(ConfigError, match="larger than GitHub takes"):
        shop.push()
    (shop.bundle / ".git").mkdir()
    with pytest.raises(ConfigError, match="a git repository of its own"):
        shop.push()
    shutil.rmtree(shop.bundle)
    with pytest.raises(ConfigError, match="make connect-bundle"):
        shop.push()


def test_what_the_builder_has_not_written_is_no_part_of_a_bundle(bundle: Path, made: Path) -> None:
    """What somebody has left in the folder, or running the bundle has."""
    names = [
        ".env",
        "customers.csv",
        "node_modules/a/a.js",
        "realtime_event/.python/built",
        "realtime_event/my.env",
        "realtime_event/src/__pycache__/a.pyc",
        "realtime_event/src/shared/notes.py",
        "realtime_event/wheels/notes.txt",
    ]
    for name in names:
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_text("KLAVIYO_AUTH_KEY=pk_secret\n")
    assert sorted(faults(bundle, made / "lock.txt")) == [f"{name} is no part of a bundle" for name in names]


def test_what_differs_from_this_checkout_is_named(bundle: Path, made: Path) -> None:
    """Another version, a bundle for the Python of somebody's machine, a changed source, a missing one, a link to elsewhere."""
    assert faults(bundle, made / "lock.txt") == []
    application = bundle / APPLICATION
    package, version, script = application / "package.json", application / "src/shared/version.py", application / "python.sh"
    package.write_text(package.read_text().replace(f'"version": "{VERSION}"', '"version": "99.0.0"'))
    (application / "python.json").write_text(json.dumps({"wheels": pinned_python(), "archive": None}, indent=2) + "\n")
    version.write_text(f"{version.read_text()}# mine\n")
    (application / "src/main.py").unlink()
    script.rename(bundle.parent / "python.sh")
    script.symlink_to(bundle.parent / "python.sh")
    differs = "differs from what the builder of this checkout writes"
    assert sorted(faults(bundle, made / "lock.txt")) == [
        f"{APPLICATION}/package.json {differs}",
        f"{APPLICATION}/python.json {differs}",
        f"{APPLICATION}/python.sh is no part of a bundle",
        f"{APPLICATION}/src/main.py is missing",
        f"{APPLICATION}/src/shared/version.py {differs}",
    ]


def test_wheels_are_those_of_the_checkouts_lock(bundle: Path, made: Path) -> None:
    """Whatever the lock beside them says, which is of these and no others."""
    wheels, lock = bundle / APPLICATION / "wheels", made / "lock.txt"
    two, three = wheels / "two-2.0-py3-none-any.whl", wheels / "three-3.0-py3-none-any.whl"
    (wheels / "requirements.txt").write_text("one==1.0\n")
    assert faults(bundle, lock) == ["realtime_event/wheels/requirements.txt is not the lock of the wheels beside it"]
    three.write_bytes(b"three")
    (wheels / "requirements.txt").write_text(lock_of(wheels))
    assert faults(bundle, lock) == ["realtime_event/wheels/three-3.0-py3-none-any.whl is not in lock.txt"]
    three.unlink()
    two.write_bytes(b"changed")
    (wheels / "requirements.txt").write_text(lock_of(wheels))
    assert faults(bundle, lock) == ["realtime_event/wheels/two-2.0-py3-none-any.whl is not in lock.txt"]
    two.unlink()
    (wheels / "requirements.txt").write_text(lock_of(wheels))
    assert faults(bundle, lock) == ["realtime_event/wheels has no two"]


def test_only_what_the_builder_has_written_is_published(shop: Shop) -> None:
    """A tag cannot be taken back: nothing is pushed, and what is wrong is named, up to five things."""
    (shop.bundle / APPLICATION / "src" / "main.py").unlink()
    for number in range(9):
        (shop.bundle / f"customers-{number}.csv").write_text("ada@example.com\n")
    with pytest.raises(ConfigError, match="make it again: make connect-bundle") as refused:
        shop.push()
    assert len(refused.value.problems) == 5
    assert git(shop.remote, "for-each-ref") == ""


def test_git_asks_nobody(shop: Shop) -> None:
    """No prompt for a password that a step would wait for unseen."""
    assert shop.repository().git("-c", "alias.shown=!printenv GIT_TERMINAL_PROMPT", "shown") == "0"


def test_a_refused_push_says_why(shop: Shop) -> None:
    """In git's own words."""
    shutil.rmtree(shop.remote)
    with pytest.raises(GitFailed, match="git ls-remote has failed") as failed:
        shop.push()
    assert failed.value.details


def test_the_tag_of_a_commit(shop: Shop) -> None:
    """The version, and the commit that the bundle is made of."""
    commit = git(shop.work, "rev-parse", "HEAD")
    assert subject.bundle_tag(shop.repository()) == f"connect-v{VERSION}-{commit[:12]}"


def test_githubs_token_reaches_git_by_the_environment_alone(shop: Shop) -> None:
    """For that address only, over https only, and never shown."""
    out = io.StringIO()
    output = Output(out, out, masks=False)
    environ = {**GIT_ENVIRON, "GITHUB_TOKEN": "ghs_0123456789"}
    assert subject._access(shop.repository(environ), "origin", output) == {}
    access = subject._access(shop.repository(environ), "https://github.com/example/shop-sync", output)
    assert access["GIT_CONFIG_KEY_0"] == "http.https://github.com/example/shop-sync.extraHeader"
    encoded = access["GIT_CONFIG_VALUE_0"].removeprefix("Authorization: Basic ")
    assert base64.b64decode(encoded) == b"x-access-token:ghs_0123456789"
    ask = ("config", "--get-urlmatch", "http.extraHeader")
    sent = shop.repository(environ).git(*ask, "https://github.com/example/shop-sync/info/refs", more=access)
    assert sent == f"Authorization: Basic {encoded}"
    with pytest.raises(GitFailed):
        shop.repository(environ).git(*ask, "https://github.com/example/another", more=access)
    output.say(f"{encoded} and ghs_0123456789")
    assert out.getvalue() == "*** and ***\n"
