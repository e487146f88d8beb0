"""Where settings come from: a file, or nowhere."""

from __future__ import annotations

import os
from typing import Any

from bulkmail.settings.sections import Settings
from bulkmail.settings.values import Reading
from bulkmail.yamlfile import load, validate

DEFAULT_FILE = "bulkmail.yaml"


def load_settings(path: str | None = None, cwd: str = "") -> Settings:
    """The settings in the file at ``path``; without one, in ``bulkmail.yaml`` of ``cwd`` if it is there, else defaults.

    Raises Refused with every problem found.
    """
    where = os.path.join(cwd, path or DEFAULT_FILE)
    folder = os.path.dirname(os.path.abspath(where))
    if path is None and not os.path.lexists(where):
        return Settings.model_validate({}, context=Reading(folder))
    file = load(where)
    return validate(file, Settings, Reading(folder, file))


def schema() -> dict[str, Any]:
    """The JSON Schema of bulkmail.yaml, for editors."""
    return Settings.model_json_schema()
