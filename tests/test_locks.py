"""The lock files have a version and a hash for everything that setup.cfg asks for, and no index of anybody's."""

from __future__ import annotations

import configparser
import json
import re
from importlib.metadata import distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
EXTRAS = {"requirements.lock": ("postgres", "avx512"), "requirements-dev.lock": ("dev",)}


def pins(name):
    """Each requirement of a lock file, with the number of its hashes."""
    blocks = re.split(r"^(?=\w)", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE)
    for block in blocks:
        if not block.startswith("#"):
            hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block))
            yield Requirement(block.partition("\\")[0].strip()), hashes


def locked(name):
    """The version of each package in a lock file, with the number of its hashes."""
    found = {}
    for requirement, hashes in pins(name):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        found[canonicalize_name(requirement.name)] = pin.version, hashes
    return found


@pytest.mark.parametrize("name", EXTRAS)
def test_all_that_is_asked_for_is_locked_with_a_hash(name):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    texts = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in EXTRAS[name])]
    known = locked(name)
    for requirement in (Requirement(line) for text in texts for line in text.split("\n") if line.strip()):
        version, _ = known[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{name} has {version} for {requirement}; run scripts/lock"
    assert all(hashes for _, hashes in known.values())


def test_extras_that_packages_ask_for_are_locked():
    """With hashes, pip takes ``coverage[toml]>=7.10`` from the index where the lock has ``coverage`` without it."""
    extras = {canonicalize_name(pin.name): pin.extras for pin, _ in pins("requirements-dev.lock")}
    for name in extras.keys() & {canonicalize_name(one.name) for one in distributions()}:
        for requirement in map(Requirement, requires(name) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                missing = requirement.extras - extras[canonicalize_name(requirement.name)]
                assert not missing, f"{name} asks for {requirement}; run scripts/lock"


def test_both_have_the_same_versions():
    run, work = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: version for name, (version, _) in run.items()}.items() <= {n: v for n, (v, _) in work.items()}.items()


@pytest.mark.parametrize("name", [*EXTRAS, "bench/peers/package-lock.json"])
def test_no_lock_names_an_index(name):
    text = (ROOT / name).read_text("utf-8")
    assert "index-url" not in text
    assert '"resolved"' not in text
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)


def test_the_peers_are_locked_with_hashes():
    peers = ROOT / "bench" / "peers"
    wanted = json.loads((peers / "package.json").read_text())["dependencies"]
    packages = json.loads((peers / "package-lock.json").read_text())["packages"]
    assert packages[""]["dependencies"] == wanted
    assert all(of["integrity"].startswith("sha512-") for where, of in packages.items() if where)
