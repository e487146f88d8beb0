"""The rehearsal with one provider that has a secret rate: replies with the given text at the given stage beyond it.

``_secret.py PERSONA RATE STAGE REPLY LOG``, the rest as for ``bulkmail.rehearsal``. Each message that asks leaves a
line in the log: seconds on the wall clock, and 1 where it was taken.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from bulkmail.rehearsal import run
from bulkmail.rehearsal.behaviour import Step
from bulkmail.rehearsal.network import SimulatedNetwork
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.zone import EVERYONE


def main() -> int:
    persona, rate, stage, reply, log = sys.argv[1:6]
    EVERYONE[persona] = PERSONAS[persona] = replace(
        EVERYONE[persona],
        behaviours=(),
        rate=float(rate),
        rate_step=Step[stage.upper()],
        rate_reply=reply.encode() + b"\r\n",
    )
    too_fast = SimulatedNetwork.too_fast
    with Path(log).open("w", buffering=1, encoding="ascii") as file:

        def noted(network: SimulatedNetwork, key: Hashable, rate: float, doubles: float = 0.0) -> bool:
            refused = too_fast(network, key, rate, doubles)
            file.write(f"{time.time():.3f} {int(not refused)}\n")
            return refused

        SimulatedNetwork.too_fast = noted  # type: ignore[method-assign]
        return run(sys.argv[6:])


sys.exit(main())
