"""The bundle as a tag of its own: a commit without parents whose root is the bundle's, made beside work tree and index.

Connect reads `connect.yaml` from the root of a tag and expects the application's folder beside it, which only the bundle has.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.connect.bundle import LOCK
from deploy.connect.contents import faults
from deploy.connect_api.errors import GitFailed
from deploy.connect_api.output import Output
from shared.errors import ConfigError, Problem
from shared.version import VERSION

LARGEST_FILE_BYTES = 100 * 1024 * 1024
"""GitHub refuses larger ones."""

MOST_FAULTS = 5
"""So many are named of a folder that is no bundle of this checkout."""

_WHO = "commercetools-klaviyo-sync"


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository at `path`, and the environment that git runs in."""

    path: Path
    environ: Mapping[str, str]

    def git(self, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        """What git prints. Raises GitFailed with what it complains about."""
        command = ["git", "-C", str(self.path), *arguments]
        environ = {**self.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(more or {})}
        try:
            ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - git alone
        except OSError as error:
            raise GitFailed(f"git cannot be run: {error.strerror}", "install git") from None
        if ended.returncode:
            raise GitFailed(f"git {_verb(arguments)} has failed", details=ended.stderr.strip().splitlines()[-5:])
        return ended.stdout.strip()


def bundle_tag(repository: Repository) -> str:
    """The tag for a bundle of the checked-out commit: version and commit. The same commit has the same."""
    return f"connect-v{VERSION}-{repository.git('rev-parse', '--short=12', 'HEAD')}"


def push(repository: Repository, bundle: Path, tag: str, remote: str, output: Output, lock: Path = LOCK) -> str:
    """Commit the bundle and push it as `tag`; the commit. A tag that has the same content already is left alone.

    Raises ConfigError when the folder is not, byte by byte, what the builder makes of this checkout with the wheels of `lock`
    (all that is in it would be published), or the tag's name is malformed; GitFailed for the rest.
    """
    _check(repository, bundle, tag, lock)
    commit = committed(repository, bundle)
    access = _access(repository, remote, output)
    there = repository.git("ls-remote", remote, f"refs/tags/{tag}", more=access).partition("\t")[0]
    if not there:
        repository.git("push", "--quiet", remote, f"{commit}:refs/tags/{tag}", more=access)
        return commit
    if there != commit:
        repository.git("fetch", "--quiet", "--no-tags", "--depth=1", "--no-write-fetch-head", remote, there, more=access)
        if repository.git("rev-parse", f"{there}^{{tree}}") != repository.git("rev-parse", f"{commit}^{{tree}}"):
            raise GitFailed(f"the tag {tag} exists with other content", "a tag is never moved: choose another with --tag")
    return there


def committed(repository: Repository, bundle: Path) -> str:
    """A commit without parents that holds just the bundle; neither index nor work tree nor any reference is touched.

    Author and times are those of the bundle's source, so that the same bundle of the same commit is the same commit.
    """
    git_dir = repository.git("rev-parse", "--absolute-git-dir")
    source = repository.git("rev-parse", "HEAD")
    date = repository.git("show", "--no-patch", "--format=%cI", "HEAD")
    plain = ("-c", "core.autocrlf=false", "-c", "core.fileMode=true", "-c", "core.attributesFile=")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        beside = Repository(bundle, repository.environ)
        beside.git(*plain, f"--git-dir={git_dir}", f"--work-tree={bundle.resolve()}", "add", "--all", "--force", ".", more=index)
        tree = repository.git("write-tree", more=index)
    people = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _person(date).items()}
    return repository.git("commit-tree", tree, "-m", f"Connect bundle {VERSION} of {source}", more=people)


def _person(date: str) -> dict[str, str]:
    return {"NAME": _WHO, "EMAIL": f"{_WHO}@users.noreply.github.com", "DATE": date}


def _check(repository: Repository, bundle: Path, tag: str, lock: Path) -> None:
    if not (bundle / "connect.yaml").is_file():
        raise ConfigError([Problem("--bundle", f"{bundle} has no connect.yaml; make it with: make connect-bundle")])
    if (bundle / ".git").exists():
        raise ConfigError([Problem("--bundle", f"{bundle} is a git repository of its own")])
    for path in bundle.rglob("*"):
        if path.is_file() and path.stat().st_size > LARGEST_FILE_BYTES:
            raise ConfigError([Problem("--bundle", f"{path.relative_to(bundle)} is larger than GitHub takes (100 MB)")])
    if found := faults(bundle, lock):
        raise ConfigError([Problem("--bundle", f"{one}; make it again: make connect-bundle") for one in found[:MOST_FAULTS]])
    try:
        repository.git("check-ref-format", f"refs/tags/{tag}")
    except GitFailed:
        raise ConfigError([Problem("--tag", f"{tag!r} is no name that git allows")]) from None


def _access(repository: Repository, remote: str, output: Output) -> dict[str, str]:
    """What lets git push over https with GITHUB_TOKEN: in the environment of that call alone, never in arguments or files."""
    token = repository.environ.get("GITHUB_TOKEN", "").strip()
    url = repository.git("ls-remote", "--get-url", remote)
    if not token or not url.startswith("https://"):
        return {}
    encoded = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    output.keep_secret([token, encoded])
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {encoded}",
    }


def _verb(arguments: tuple[str, ...]) -> str:
    return next((word for word in arguments if word.isalpha() or word in ("ls-remote", "write-tree", "rev-parse")), arguments[0])
