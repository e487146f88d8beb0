from __future__ import annotations

import json

import pytest

from bulkmail import cli


@pytest.mark.parametrize("which", [[], ["campaign"], ["settings"]])
def test_schema(which, capsys):
    assert cli.main(["schema", *which]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert ("hostname" in schema["properties"]) == (which == ["settings"])
