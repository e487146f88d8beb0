"""``bulkmail schema``: the JSON Schemas of the two YAML files."""

from __future__ import annotations

import argparse

from bulkmail.campaign import schema as campaign_schema
from bulkmail.commands.terminal import Commands, say_json
from bulkmail.exit_status import DONE
from bulkmail.settings import schema as settings_schema


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    schema = commands.add_parser("schema", help="the JSON Schema of campaign.yaml, or of bulkmail.yaml")
    schema.add_argument(
        "which",
        nargs="?",
        choices=("campaign", "settings"),
        default="campaign",
        metavar="campaign|settings",
        help="campaign.yaml or bulkmail.yaml (default: campaign)",
    )
    schema.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print one of the schemas."""
    say_json(campaign_schema() if given.which == "campaign" else settings_schema())
    return DONE
