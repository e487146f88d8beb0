"""The wheel, installed into a fresh environment and used from another folder, as people will."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from bulkmail import __version__

pytestmark = pytest.mark.process
ROOT = Path(__file__).parent.parent


def run(*command, cwd, status=0):
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing is left in the checkout and nothing left there gets in."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.cfg", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("bulkmail", "twisted"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source)
    (built,) = (source / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Its bin folder; the dependencies are those of this environment, so that no network is needed."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    (packages,) = place.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # behind its own packages, and without the .pth files of this environment, which would bring the checkout in
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    for name, module, function in (("bulkmail", "bulkmail.cli", "main"), ("twistd", "twisted.scripts.twistd", "run")):
        script = place / "bin" / name
        script.write_text(
            f"#!{place}/bin/python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        )
        script.chmod(0o755)
    return place / "bin"


@pytest.fixture
def elsewhere(tmp_path):
    return tmp_path


def test_everything_that_is_no_module_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bulkmail").rglob("*") if path.is_file()}
    here = {name for name in here if "__pycache__" not in name and not name.endswith(".pyc")}
    assert here - names == set()
    assert any(name.startswith("bulkmail/spool/sql/") for name in names)
    assert any(name.startswith("bulkmail/report/templates/") for name in names)
    assert "twisted/plugins/bulkmail_plugin.py" in names


def test_nothing_is_in_the_wheel_that_would_break_twisted(wheel):
    """An __init__.py there would hide Twisted itself."""
    names = zipfile.ZipFile(wheel).namelist()
    assert [
        name for name in names if name.startswith("twisted/") and name != "twisted/plugins/bulkmail_plugin.py"
    ] == []
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"bulkmail", "twisted", f"bulkmail-{__version__}.dist-info"}


def test_the_wheel_says_what_it_needs_and_how_it_is_called(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"bulkmail-{__version__}.dist-info/METADATA").decode()
        commands = archive.read(f"bulkmail-{__version__}.dist-info/entry_points.txt").decode()
    assert "Requires-Dist: twisted[tls]" in metadata
    assert "bulkmail = bulkmail.cli:main" in commands


def test_it_is_the_installed_one_that_runs(installed, elsewhere):
    said = run(installed / "python", "-c", "import bulkmail; print(bulkmail.__file__)", cwd=elsewhere)
    assert said.startswith(str(installed.parent))


def test_the_command(installed, elsewhere):
    assert "usage: bulkmail" in run(installed / "bulkmail", "--help", cwd=elsewhere)
    assert run(installed / "bulkmail", "--version", cwd=elsewhere) == f"bulkmail {__version__}\n"


def test_twistd_knows_bulkmail(installed, elsewhere):
    said = run(installed / "twistd", "--help", cwd=elsewhere)
    assert "bulkmail" in said
    said = run(installed / "twistd", "-n", "--pidfile=", "bulkmail", "--help", cwd=elsewhere)
    assert "--watch" in said
    assert "Traceback" not in said


def test_wrong_usage_is_2_as_the_shell_sees_it(installed, elsewhere):
    said = run(installed / "twistd", "-n", "--pidfile=", "bulkmail", cwd=elsewhere, status=2)
    assert "give one of -c campaign.yaml and --watch folder" in said
    assert "Traceback" not in said


def test_a_campaign_is_checked_with_what_is_installed(installed, elsewhere):
    """Templates, SQL and schema are found where the wheel put them."""
    (elsewhere / "campaign.yaml").write_text(
        "name: x\nfrom: a@example.com\nsubject: hi\ntemplate: {text: b.j2}\nrecipients: r.csv\n"
    )
    (elsewhere / "b.j2").write_text("Hello\n")
    (elsewhere / "r.csv").write_text("email\na@example.org\n")
    assert "it can be sent" in run(installed / "bulkmail", "check", "campaign.yaml", cwd=elsewhere)
    run(installed / "python", "-c", "from bulkmail.spool import SqliteStore; SqliteStore(':memory:')", cwd=elsewhere)
    program = "from bulkmail.report import page; import jinja2, bulkmail.report.page"
    run(installed / "python", "-c", program, cwd=elsewhere)
