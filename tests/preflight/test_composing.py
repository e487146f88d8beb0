"""Real processes: rows that end or keep busy the process that composes them."""

from __future__ import annotations

import pytest

from bulkmail.preflight import composing
from tests.preflight.conftest import CSV, HTML, codes

pytestmark = pytest.mark.process


def test_a_row_that_ends_its_process_is_found_and_the_others_are_looked_at(folder, monkeypatch):
    monkeypatch.setenv("BULKMAIL_FAILPOINTS", "compose=bob@example.net:kill")
    found = folder.look()
    assert ("error", "not-composed") in codes(found)
    (error,) = found.errors
    assert error.rows == (2,)
    assert (found.composed, found.mailed, found.not_composed) == (2, 2, 1)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(composing, "WITHIN", 1.0)
    monkeypatch.setattr(composing, "BATCH", 4)


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
ENDLESS = "{% if first_name == 'Loop' %}" + LOOP + "{% endif %}"


def test_a_row_without_end_is_found(folder, quick):
    folder.write(html=ENDLESS + HTML, csv=CSV.replace("Bob", "Loop"))
    found = folder.look()
    (error,) = found.errors
    assert (error.code, error.rows) == ("not-composed", (2,))
    assert "within 1 s" in error.message
    assert found.composed == 2


def test_a_template_without_end_is_given_up(folder, quick):
    rows = "".join(f"a{n}@example.org,Loop,Bath\n" for n in range(40))
    folder.write(html=ENDLESS + HTML, csv="email,first_name,city\n" + rows)
    found = folder.look()
    assert [error.code for error in found.errors] == ["no-message", "not-composed", "not-looked-at"]
    assert "row 3, did not come to an end" in found.errors[-1].message
    assert found.errors[1].count == 3
    assert found.composed == 0
