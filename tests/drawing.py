"""The pictures of the floor plan in docs/architecture.md, drawn from the import-linter contracts in setup.cfg.

`scripts/draw` writes them into the page; tests/test_docs.py says when that is due.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
WIDTH = 76  # characters between the walls of a picture
PICTURE = re.compile(r"(?<=<!-- picture: )([a-z-]+)( -->\n```text\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def contracts() -> dict[str, list[list[str]]]:
    """The contracts of the type "layers", by name: their layers from the top down, the modules of each."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    found = {}
    for section in parser.sections():
        kind, _, name = section.rpartition(":")
        if kind == "importlinter:contract" and parser[section]["type"] == "layers":
            layers = parser[section]["layers"].split("\n")
            found[name] = [re.split(r"\s*[|:]\s*", layer.strip()) for layer in layers if layer.strip()]
    return found


def drawn(name: str) -> str:
    """The picture of one contract: a storey for each layer, the top one first; ``+``: drawn in a picture of its own."""
    layers = contracts()[name]
    others = [other[0][0] for key, other in contracts().items() if key != name]
    storeys = []
    for layer in layers:
        rooms = [
            module.rpartition(".")[2] + (" +" if any(other.startswith(f"{module}.") for other in others) else "")
            for module in layer
        ]
        storeys.append(f"|{'     '.join(rooms):^{WIDTH}}|")
    wall = f"+{'-' * WIDTH}+"
    return "\n".join([wall, *(f"{storey}\n{wall}" for storey in storeys)]) + "\n"


def pictures() -> dict[str, str]:
    """The pictures in the page, by the names of their contracts."""
    return {found[1]: found[3] for found in PICTURE.finditer(PAGE.read_text(encoding="utf-8"))}


def main() -> None:
    """Draw the pictures in the page anew; a contract without one gets one behind the others."""
    page = PAGE.read_text(encoding="utf-8")
    for name in contracts().keys() - pictures().keys():
        end = page.index("```\n", [found.end(3) for found in PICTURE.finditer(page)][-1]) + 4
        page = f"{page[:end]}\nThe contract `{name}`:\n\n<!-- picture: {name} -->\n```text\n```\n{page[end:]}"
    PAGE.write_text(PICTURE.sub(lambda found: found[1] + found[2] + drawn(found[1]), page), encoding="utf-8")


if __name__ == "__main__":
    main()
