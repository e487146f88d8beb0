from __future__ import annotations

import pytest

from bulkmail import cli


def test_the_options_of_the_rehearsals_world_are_its_own(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["sink", "--help"])
    assert left.value.code == 0
    assert "--pass" not in capsys.readouterr().err
