"""What people are told of a campaign's variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkmail.mail import REST, Variants


def variants_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the report is told of the variants; empty where there are none. See `report.variants`."""
    found = content.get("variants")
    if not found:
        return {}
    subjects = {name: letter["subject"] for name, letter in found["letters"].items()}
    if Variants(found["shares"]).has_rest:
        subjects[REST] = content["subject"]
    told = {"shares": found["shares"], "winner": found.get("winner", ""), "subjects": subjects}
    return {**told, "why": found["why"]} if found.get("why") else told


def subject_of(content: Mapping[str, Any]) -> str:
    """Return the subject of a campaign's messages; where variants have several, all of them."""
    subjects = variants_of(content).get("subjects", {}).values()
    return " / ".join(dict.fromkeys(subjects)) or content["subject"]
