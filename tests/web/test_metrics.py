"""The metrics, judged by Prometheus' own promtool where it is installed."""

from __future__ import annotations

import builtins
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bulkmail.mail import BulkmailError, Word
from bulkmail.web.metrics import CAMPAIGNS, metrics
from bulkmail.web.views import SHOWN
from tests.web.known import AT, HOSTILE, NAME, PROVIDER, campaign, hold

CONTRIB = Path(__file__).parent.parent.parent / "contrib"
HEALTH = {
    "version": "0.1.0",
    "machine": "mta1",
    "started_at": AT,
    "campaigns": 3,
    "fault": HOSTILE,
    "unattributed": {"failed": 2},
}


@pytest.fixture
def exported():
    pytest.importorskip("prometheus_client")
    campaigns = [campaign(f"c{n}") for n in range(CAMPAIGNS)] + [campaign(NAME + HOSTILE, "paused", holds=[hold()])]
    return metrics(campaigns, [PROVIDER], HEALTH).decode()


def samples(text):
    return {found[1]: float(found[2]) for found in re.finditer(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


def test_the_numbers_are_those_of_the_api(exported):
    found = samples(exported)
    assert found['bulkmail_campaign_rows{campaign="c7",status="delivered"}'] == 300
    assert found['bulkmail_campaign_situation{campaign="c7",word="sending"}'] == 1
    assert found['bulkmail_campaign_situation{campaign="c7",word="paused"}'] == 0
    assert found['bulkmail_provider_rows{provider="google",status="delivered"}'] == 200 * CAMPAIGNS
    assert found['bulkmail_provider_rows{provider="other",status="bounced"}'] == 20 * CAMPAIGNS
    assert found['bulkmail_pace_ratio{provider="google"}'] == 0.5
    assert found['bulkmail_holds{kind="paused"}'] == 1
    assert (found["bulkmail_fault"], found["bulkmail_campaigns_under_way"]) == (1, 3)
    assert found['bulkmail_unattributed{what="failed"}'] == 2
    assert found["bulkmail_start_time_seconds"] == 1796182260


def test_labels_are_bounded(exported):
    found = samples(exported)
    of = {re.search(r'campaign="((?:[^"\\]|\\.)*)"', name)[1] for name in found if 'campaign="' in name}
    assert len(of) == CAMPAIGNS
    assert "c0" not in of
    assert {re.search(r'provider="(\w+)"', name)[1] for name in found if 'provider="' in name} == {"google", "other"}
    assert len(found) < CAMPAIGNS * (len(Word) + 15) + 10 * len(SHOWN)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *given, **named):
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BulkmailError, match=r"pip install 'bulkmail\[metrics\]'"):
        metrics([], [], HEALTH)


@pytest.mark.process
def test_promtool_finds_nothing_wrong(exported, missing):
    promtool = shutil.which("promtool") or missing("promtool is not installed (Debian: prometheus)")
    judged = subprocess.run([promtool, "check", "metrics"], input=exported.encode(), capture_output=True, check=False)
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, b"")
    for kind, name in (("check", "prometheus-alerts.yml"), ("test", "prometheus-alerts-test.yml")):
        said = subprocess.run(
            [promtool, kind, "rules", str(CONTRIB / name)], capture_output=True, check=False, text=True
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_what_dashboard_and_alerts_ask_for_is_exported(exported):
    known = set(re.findall(r"^# TYPE (\S+)", exported, re.MULTILINE))
    board = json.loads((CONTRIB / "grafana-dashboard.json").read_text())
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
    asked += (CONTRIB / "prometheus-alerts.yml").read_text()
    names = set(re.findall(r"\bbulkmail_[a-z_]+", asked))
    assert len(names) > 5
    assert names <= known
