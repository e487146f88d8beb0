"""The same numbers for Prometheus, in its text format 0.0.4, made of the API's answers at each scrape.

Labels are bounded: providers are those of the settings and of the shipped table (all else is "other"), statuses and
words are ours, and of campaigns the newest `CAMPAIGNS` are told. Domains and sites are never labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from bulkmail.mail import BulkmailError, Word
from bulkmail.web.views import SHOWN

CAMPAIGNS = 50
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_EXTRA = "/metrics takes the extra `metrics`: pip install 'bulkmail[metrics]'"


def metrics(
    campaigns: Iterable[Mapping[str, Any]], providers: Iterable[Mapping[str, Any]], health: Mapping[str, Any]
) -> bytes:
    """Return the metrics of these answers. Raises BulkmailError where prometheus-client is not installed."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - an extra
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415
    except ImportError:
        raise BulkmailError(_EXTRA) from None
    newest = list(campaigns)[-CAMPAIGNS:]
    found = [*_of_campaigns(newest), *_of_providers(list(providers), newest), *_of_service(health)]

    class Collected:
        def collect(self) -> Iterator[Any]:
            for name, words, labels, samples in found:
                family = GaugeMetricFamily(name, words, labels=labels)
                for values, number in samples:
                    family.add_metric(values, number)
                yield family

    registry = CollectorRegistry()
    registry.register(Collected())
    return bytes(generate_latest(registry))


_Family = tuple[str, str, list[str], list[tuple[list[str], float]]]


def _of_campaigns(campaigns: list[Mapping[str, Any]]) -> Iterator[_Family]:
    rows, state, late = [], [], []
    for told in campaigns:
        name = told["campaign"]
        rows += [([name, status], float(count)) for status, count in told["by_status"].items()]
        now = told["situation"]["word"]
        state += [([name, str(word)], float(word == now)) for word in Word]
        late += [([name, result], float(count)) for result, count in told["late"].items()]
    kinds = [hold["kind"] for told in campaigns for hold in told["holds"]]
    yield "bulkmail_campaign_rows", "Rows of a campaign's list by status.", ["campaign", "status"], rows
    yield "bulkmail_campaign_situation", "1 for the word that says how a campaign stands.", ["campaign", "word"], state
    yield "bulkmail_campaign_late", "What came back of a campaign later.", ["campaign", "result"], late
    held = [([kind], float(kinds.count(kind))) for kind in sorted(set(kinds))]
    yield "bulkmail_holds", "Holds of campaigns by their kind.", ["kind"], held


def _of_providers(providers: list[Mapping[str, Any]], campaigns: list[Mapping[str, Any]]) -> Iterator[_Family]:
    names = [one["provider"] for one in providers]
    counts = {(name, status): 0 for name in (*names, "other") for status in SHOWN}
    for told in campaigns:
        for provider, by_status in told["by_provider"].items():
            name = provider if provider in names else "other"
            for status in SHOWN:
                counts[name, status] += by_status.get(status, 0)
    rows = [([name, status], float(count)) for (name, status), count in counts.items()]
    words = f"Rows that were sent to a provider by status, of the newest {CAMPAIGNS} campaigns."
    yield "bulkmail_provider_rows", words, ["provider", "status"], rows
    for name, words, key in (
        ("bulkmail_connections_open", "Connections that are open to a provider.", "open"),
        ("bulkmail_connections_limit", "Connections that may be open to a provider.", "connections"),
        ("bulkmail_pace_ratio", "Which part of a provider's rate is used: under 1 it has slowed us.", "rate_factor"),
    ):
        yield name, words, ["provider"], [([one["provider"]], float(one[key])) for one in providers]


def _of_service(health: Mapping[str, Any]) -> Iterator[_Family]:
    of = [health["version"], health["machine"]]
    yield "bulkmail_info", "The version that runs, and the machine's name.", ["version", "machine"], [(of, 1.0)]
    started = datetime.fromisoformat(health["started_at"]).timestamp()
    yield "bulkmail_start_time_seconds", "When the service began, in epoch seconds.", [], [([], started)]
    fault = float(bool(health["fault"]))
    yield "bulkmail_fault", "1 while a fault of our own keeps the service from sending.", [], [([], fault)]
    sending = float(health["campaigns"])
    yield "bulkmail_campaigns_under_way", "Campaigns that this process sends.", [], [([], sending)]
    strays = [([what], float(count)) for what, count in health["unattributed"].items()]
    words = "What has come back since the service began and belongs to no row for certain."
    yield "bulkmail_unattributed", words, ["what"], strays
