from __future__ import annotations

from bulkmail import cli

YAML = """\
name: spring
from: "Example Shop <news@example.com>"
subject: "Hi {{ first_name }}"
template: {text: body.txt.j2}
recipients: recipients.csv
"""


def test_check_says_that_all_is_well(place, capsys):
    assert cli.main(["check", "spring"]) == 0
    assert capsys.readouterr().out == "spring: nothing wrong was found\n"
    assert not (place / "spool").exists()


def test_check_refuses_what_a_start_would_refuse(place, capsys):
    (place / "spring" / "campaign.yaml").write_text(YAML + "colour: red\nfrom_: x\n")
    assert cli.main(["check", "spring/campaign.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "campaign.yaml:6:1: `colour`" in err
    assert "campaign.yaml:7:1: `from_`" in err
    assert "Traceback" not in err


def test_check_with_settings_that_are_wrong(place, capsys):
    (place / "other.yaml").write_text("retry: {schedule: [soon]}\n")
    assert cli.main(["check", "spring", "--settings", "other.yaml"]) == 1
    assert "other.yaml:1:" in capsys.readouterr().err
