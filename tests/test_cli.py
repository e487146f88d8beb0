from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bulkmail import __version__, cli


@pytest.mark.parametrize(
    "arguments", [[], ["sing"], ["schema", "nothing"], ["check"], ["status", "--colour"], ["forget"]]
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert "usage: bulkmail" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "error: the command is missing; `bulkmail --help` lists them"),
        (["preveiw", "spring"], "error: there is no command 'preveiw'; the nearest is preview; `bulkmail --help`"),
        (["xyzzy"], "error: there is no command 'xyzzy'; `bulkmail --help` lists them"),
    ],
)
def test_what_is_no_command_is_told_with_the_nearest(arguments, words, capsys):
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert words in capsys.readouterr().err


def test_version_and_help(capsys):
    for argument, said in (("--version", f"bulkmail {__version__}\n"), ("--help", "usage: bulkmail")):
        with pytest.raises(SystemExit) as left:
            cli.main([argument])
        assert left.value.code == 0
        assert said in capsys.readouterr().out


@pytest.mark.process
def test_a_reader_that_goes_away_is_no_error():
    """``bulkmail schema | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bulkmail.cli", "schema"], stdout=writing, stderr=subprocess.PIPE, timeout=300
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.heavy
def test_the_completion_of_a_shell_is_a_script_that_knows_the_commands():
    command = [os.path.join(os.path.dirname(sys.executable), "bulkmail"), "--print-completion", "bash"]
    script = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "_bulkmail_pause_pos_0_COMPGEN=_bulkmail_names" in script


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bulkmail.commands.schema.run", interrupted)
    assert cli.main(["schema"]) == 130
    assert capsys.readouterr().err == "bulkmail: interrupted\n"


@pytest.mark.process
@pytest.mark.parametrize(
    "program", [["bulkmail", "status"], ["twistd", "-n", "bulkmail", "-c", "none"]], ids=lambda w: w[0]
)
def test_no_python_file_of_the_current_folder_is_run(tmp_path, program):
    for name in ("dns", "jinja2", "yaml", "twisted", "bulkmail", "sitecustomize", "email"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'a').write({name!r})\n")
    words = [os.path.join(os.path.dirname(sys.executable), program[0]), *program[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert not (tmp_path / "was-run").exists(), (tmp_path / "was-run").read_text()
    assert done.returncode in (0, 1), done.stderr


@pytest.mark.process
def test_a_command_reads_only_the_parts_that_it_needs(tmp_path):
    """What is sent with takes most of a second to import, and a look at the spool needs none of it."""
    code = "import sys; from bulkmail.cli import main; main(['status']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    modules = set(done.stdout.split())
    assert "bulkmail.control.overview" in modules, done.stderr
    assert not modules & {"bulkmail.delivery", "bulkmail.net", "bulkmail.campaign.model", "jinja2", "tqdm", "shtab"}
