"""A message makes no more work than bench/work.json says; counted, so that a busy machine is no excuse."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_work", BENCH / "work.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(bench):
    return bench.measure()


def test_no_more_work_than_before(bench, found):
    worse = bench.worse(found, json.loads(bench.BASELINE.read_text()))
    advice = "if that is what it takes, `scripts/bench work --update` makes it the new baseline"
    assert not worse, "\n".join([*worse, advice])


def test_everything_that_is_counted_has_a_baseline(bench, found):
    baseline = json.loads(bench.BASELINE.read_text())
    assert {part: set(figures) for part, figures in found.items()} == {
        part: set(figures) for part, figures in baseline.items()
    }


def test_more_work_is_seen(bench, found):
    """Each figure, a little more than a tenth higher than now, is told of; and nothing else is."""
    for part, figures in found.items():
        for what in figures:
            more = copy.deepcopy(found)
            more[part][what] *= 1.11
            assert [line.startswith(f"{part}: ") and f" {what} " in line for line in bench.worse(more, found)] == [True]


def test_an_extra_line_a_message_is_counted(bench, monkeypatch):
    """The counter sees our own modules: a frame that is unpacked twice is twice the work."""
    once = bench.unpacking()
    feed = bench.Frames.feed

    def twice(self, data):
        yield from feed(self, data)
        yield from feed(bench.Frames(), data)

    monkeypatch.setattr(bench.Frames, "feed", twice)
    assert bench.unpacking()["lines"] > 1.8 * once["lines"]
