"""From a path to a Campaign."""

from __future__ import annotations

import os
from typing import Any

from bulkmail.campaign.files import CAMPAIGN_FILE
from bulkmail.campaign.model import Campaign, Place
from bulkmail.mail import Problem, Refused
from bulkmail.yamlfile import load, validate


def load_campaign(path: str) -> Campaign:
    """The campaign in the file at ``path``, or in the folder's campaign.yaml. Raises Refused with every problem found.

    Checked are the keys and the files they name. What the templates say is checked by `snapshot`.
    """
    if os.path.isdir(path):
        near = os.path.join(path, "campaign.yml")
        path = os.path.join(path, CAMPAIGN_FILE)
        if os.path.exists(near) and not os.path.lexists(path):
            raise Refused([Problem(near, 0, 0, "rename this file to campaign.yaml")])
    file = load(path)
    return validate(file, Campaign, Place(os.path.dirname(os.path.abspath(path)), file))


def schema() -> dict[str, Any]:
    """The JSON Schema of campaign.yaml, for editors."""
    return Campaign.model_json_schema()
