"""YAML files that people write, read so that every mistake gets a line, a column and a remedy.

Room: the reading of configuration files.
Takes: a path (or a text in its name) and a pydantic model.
Gives: the values by YAML 1.2 with the place of each, the model filled in, or Refused with every problem found.
Never: runs what a file says, follows an alias, guesses; `no`, `on`, `off` and dates are text.

The subset taken is the core schema of YAML 1.2 without what configuration does not need and attacks do: anchors,
aliases, merge keys, tags and several documents are refused, and so are duplicate keys, which stock PyYAML lets win
silently. Size, depth and the number of values are bounded.
"""

from __future__ import annotations

from bulkmail.yamlfile.model import ErrorAt, Line, Many, Section, flow, one_line, validate
from bulkmail.yamlfile.quotes import curly_quotes
from bulkmail.yamlfile.tree import MAX_BYTES, YamlFile, dotted, load

__all__ = [
    "MAX_BYTES",
    "ErrorAt",
    "Line",
    "Many",
    "Section",
    "YamlFile",
    "curly_quotes",
    "dotted",
    "flow",
    "load",
    "one_line",
    "validate",
]
