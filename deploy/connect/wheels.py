"""The wheels of the bundle: those that fit Connect's machines, as the package index has them, and a lock of exactly these."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from deploy.source_archive import Unusable

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64", "any")
"""Linux on x86-64 with a glibc of 2.28 or newer: the images that Google builds Node applications on have 2.35 or newer."""

HEADING = "# The wheels beside this file, and nothing else; made by `make connect-bundle`.\n"


def wheel_tags(python: str) -> list[str]:
    """pip's options for wheels of CPython `python` (`3.12`) on Connect's machines, whatever machine this is."""
    chosen = ["--implementation", "cp", "--python-version", python]
    for abi in (f"cp{python.replace('.', '')}", "abi3", "none"):
        chosen += ["--abi", abi]
    for platform in PLATFORMS:
        chosen += ["--platform", platform]
    return chosen


def download_wheels(lock: Path, python: str, folder: Path, given: Path | None) -> None:
    """Put the wheels of `lock` for CPython `python` into `folder`, each with a hash of the lock, and their own lock.

    They come from the package index that pip is set up for, or from the folder `given`. Raises `Unusable` where one is missing.
    """
    folder.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{line}\n" for line in locked(lock.read_text("utf-8"), python)), "utf-8")
    source = ["--no-index", "--find-links", str(given)] if given else []
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *quiet, *wheel_tags(python), *source]
    done = subprocess.run(  # noqa: S603 - pip, with our own arguments
        [*command, "--dest", str(folder), "--requirement", str(wanted)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Unusable("\n  ".join([f"the wheels could not be had ({_why(done.stderr, lock, given)}):", *reasons]))
    wanted.write_text(lock_of(folder), "utf-8")


def lock_of(folder: Path) -> str:
    """The text of the lock of exactly the wheels in `folder`. Raises ValueError for a name that no wheel has."""
    return HEADING + "".join(map(_lock_line, sorted(folder.glob("*.whl"))))


def hashes_in(lock: Path, python: str) -> dict[tuple[str, str], frozenset[str]]:
    """The SHA-256 that `lock` has for each name and version, each as packaging writes them, for CPython `python`."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for line in locked(lock.read_text("utf-8"), python):
        named, *hashes = line.split(" ")
        name, _, version = named.partition("==")
        found[canonicalize_name(name), str(Version(version))] = frozenset(one.removeprefix("--hash=sha256:") for one in hashes)
    return found


def named_by(wheel: Path) -> tuple[str, str]:
    """The name and version that a wheel's file name says. Raises ValueError."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return name, str(version)


def locked(text: str, python: str) -> list[str]:
    """The requirements of a lock, each with its hashes on one line, that hold for CPython `python` on Linux.

    pip would judge their markers by the Python that runs it.
    """
    target = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    kept = []
    for line in re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines():
        named, _, hashes = line.partition(" --hash=")
        requirement = Requirement(named)
        if requirement.marker is None or requirement.marker.evaluate(target):
            kept.append(f"{requirement.name}{requirement.specifier} --hash={hashes}")
    return kept


def _lock_line(wheel: Path) -> str:
    name, version = named_by(wheel)
    return f"{name}=={version} --hash=sha256:{sha256_of(wheel)}\n"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as pip writes it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _why(complaint: str, lock: Path, given: Path | None) -> str:
    """What is wrong, from what pip says."""
    if "DO NOT MATCH THE HASHES" in complaint:
        return f"one has another content than {lock.name} says, and is not used"
    if given:
        return f"the folder {given} has not all of them"
    if "after connection broken by" in complaint:
        return "no package index was reached"
    if "No matching distribution" in complaint:
        return "one is nowhere where pip looks for it: the package index lacks it, or pip is set up to ask none"
    return "pip has failed"
