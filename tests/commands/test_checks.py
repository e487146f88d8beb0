from __future__ import annotations

from bulkmail.commands.checks import Check, of_findings
from bulkmail.preflight import Finding, Severity


def test_findings_become_lines():
    assert of_findings("dkim", "s1.shop.test", [], "has the key") == [Check("dkim", "ok", "s1.shop.test: has the key")]
    findings = [
        Finding(Severity.ERROR, "ptr-missing", "192.0.2.1", "it has no PTR record", "publish one"),
        Finding(Severity.WARNING, "ptr-unknown", "192.0.2.1", "nothing is known"),
        Finding(Severity.WARNING, "ptr-generic", "192.0.2.1", "it looks generated"),
        Finding(Severity.NOTE, "dkim-testing", "s1", "t=y"),
    ]
    made = of_findings("address", "192.0.2.1", findings, "well")
    assert [check.result for check in made] == ["error", "unknown", "warning", "ok"]
    assert made[0] == Check("address", "error", "192.0.2.1: it has no PTR record", "publish one")
