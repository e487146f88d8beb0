"""Whether a pattern can match a line of a reply at all, and whether it can match one that an earlier pattern does not.

The lines are those of `line_of`, of refusals: a code from 400 to 599, a blank, and words with one blank between them,
without control characters, which the session takes out. A line that was cut may end with a blank.

The parse tree of Python's own parser becomes an automaton. All lines are followed through the automata of the patterns
at once, a character a step, the shortest first; characters that no part of the patterns tells apart count as one. That
there is no such line is said only where all was looked at. Nothing is said of expressions that are no automata (with
back-references, looks ahead or behind, groups that give nothing back, flags for a part) or that take too many steps.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple, cast

from bulkmail.mail import JUDGED, Pattern

_MOST_NODES = 2000
_MOST_STEPS = 30_000  # some tens of milliseconds
_PRINTED = [chr(code) for code in range(32, 127)]
_START, _WORD, _OTHER, _END = range(4)  # what stands before and behind a place in the line
_BOUNDARIES = frozenset({(_START, _WORD), (_OTHER, _WORD), (_WORD, _OTHER), (_WORD, _END)})
_DIGITS = "0123456789"
_KINDS = {text: _WORD for text in _PRINTED if re.match(r"\w", text)}
_Holds = Callable[[int, int], bool]
_PLACES: dict[Any, _Holds] = {
    kinds.AT_BEGINNING: lambda before, _: before == _START,
    kinds.AT_BEGINNING_STRING: lambda before, _: before == _START,
    kinds.AT_END: lambda _, after: after == _END,  # a line has no line end in it
    kinds.AT_END_STRING: lambda _, after: after == _END,
    kinds.AT_BOUNDARY: lambda before, after: (before, after) in _BOUNDARIES,
    kinds.AT_NON_BOUNDARY: lambda before, after: (before, after) not in _BOUNDARIES,
}


class Unknown(Exception):
    """Say nothing: the pattern is no automaton, or there are too many steps."""


class _Effort:
    """How many steps may still be taken for a question."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take steps. Raises Unknown where too few are left."""
        self.left -= steps
        if self.left < 0:
            raise Unknown


class _Node(NamedTuple):
    """Either the character that leads on (``part``, an index into the parts), or the places that need none."""

    part: int
    to: list[tuple[_Holds | None, int]]


_State = frozenset[int] | None  # the nodes that are reached; None: it has matched


class _Automaton:
    """A pattern that is looked for anywhere in a line. Raises Unknown."""

    def __init__(self, pattern: Pattern) -> None:
        self._flags = pattern.compiled.flags
        if not self._flags & re.ASCII:
            raise Unknown  # which characters are alike would be a matter of all alphabets
        self._tree = parser.parse(pattern.compiled.pattern, self._flags)
        self._parts: dict[str, tuple[int, re.Pattern[str]]] = {"": (0, re.compile(""))}  # anything
        self.nodes = [_Node(-1, [])]  # the first one: matched
        self.bounds: set[int] = set()
        first = self._node(-1, [(None, self._sequence(self._tree, 0))])
        self.nodes[first].to.append((None, self._node(0, [(None, first)])))
        self.begin = frozenset({first})
        self.printed = [self.known(text) for text in _PRINTED]

    def known(self, text: str) -> tuple[bool, ...]:
        """Return which of the parts match a character."""
        return tuple([matcher.match(text) is not None for _, matcher in self._parts.values()])

    def _node(self, part: int, to: Iterable[tuple[_Holds | None, int]]) -> int:
        if len(self.nodes) >= _MOST_NODES:
            raise Unknown
        self.nodes.append(_Node(part, list(to)))
        return len(self.nodes) - 1

    def _sequence(self, parts: Any, behind: int) -> int:
        """Add the nodes of ``parts``, the last of which leads to the node ``behind``; return the first one."""
        for kind, argument in reversed(list(parts)):
            behind = self._part(kind, argument, behind)
        return behind

    def _part(self, kind: Any, argument: Any, behind: int) -> int:
        if kind in (kinds.LITERAL, kinds.NOT_LITERAL, kinds.ANY, kinds.IN):
            return self._node(self._character(kind, argument), [(None, behind)])
        if kind is kinds.AT and argument in _PLACES:
            return self._node(-1, [(_PLACES[argument], behind)])
        if kind is kinds.BRANCH:
            return self._node(-1, [(None, self._sequence(branch, behind)) for branch in argument[1]])
        if kind is kinds.SUBPATTERN and not argument[1] and not argument[2]:
            return self._sequence(argument[3], behind)
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            return self._repeated(argument, behind)
        raise Unknown

    def _repeated(self, repeat: tuple[int, Any, Any], behind: int) -> int:
        least, most, part = repeat
        first = behind
        if most is kinds.MAXREPEAT:
            first = self._node(-1, [(None, behind)])
            self.nodes[first].to.append((None, self._sequence(part, first)))
        else:
            for _ in range(most - least):
                first = self._node(-1, [(None, behind), (None, self._sequence(part, first))])
        for _ in range(least):
            behind, first = first, self._sequence(part, first)
            if first == behind:  # it needs no character, however often it stands
                break
        return first

    def _character(self, kind: Any, argument: Any) -> int:
        key = f"{kind} {argument}"
        if key not in self._parts:
            self.bounds.update(_bounds(kind, argument))
            if kind is kinds.LITERAL:
                matcher = re.compile(re.escape(chr(argument)), self._flags)  # remembered there
            else:
                matcher = compiler.compile(parser.SubPattern(self._tree.state, [(kind, argument)]), self._flags)
            self._parts[key] = len(self._parts), matcher
        return self._parts[key][0]


class _Walk:
    """The states of an automaton along lines, for one question."""

    def __init__(self, automaton: _Automaton, effort: _Effort) -> None:
        self._nodes, self._effort = automaton.nodes, effort
        self._reached: dict[tuple[frozenset[int], int, int], list[_Node] | None] = {}

    def after(self, state: _State, before: int, kind: int, known: Sequence[bool]) -> _State:
        """Return the state after one character more, which is of this kind. ``known``: which parts match it."""
        nodes = None if state is None else self._reach(state, before, kind)
        if nodes is None:
            return None
        self._effort.spend(len(nodes))
        return frozenset([node.to[0][1] for node in nodes if known[node.part]])

    def matches(self, state: _State, before: int) -> bool:
        """Return whether it has matched, or does at the end of the line."""
        return state is None or self._reach(state, before, _END) is None

    def _reach(self, state: frozenset[int], before: int, after: int) -> list[_Node] | None:
        """Return the nodes that wait for a character; None where it has matched."""
        key = state, before, after
        if key not in self._reached:
            seen, waiting = set(state), list(state)
            while waiting:
                node = self._nodes[waiting.pop()]
                if node.part < 0:
                    onward = {to for holds, to in node.to if holds is None or holds(before, after)} - seen
                    seen |= onward
                    waiting += onward
            self._effort.spend(len(seen))
            found = [self._nodes[one] for one in seen if self._nodes[one].part >= 0]
            self._reached[key] = None if 0 in seen else found
        return self._reached[key]


class _Letter(NamedTuple):
    """One character, for all that nothing tells from it. ``kind``: as what it stands beside a place."""

    text: str
    kind: int
    of_code: tuple[bool, bool, bool]  # whether it may be the first, second, third of a code
    known: tuple[tuple[bool, ...], ...]  # of each automaton, which parts match it


def _bounds(kind: Any, argument: Any) -> Iterator[int]:
    """Give the code points at which a part may begin and end to match."""
    if kind is kinds.IN:
        for one in argument:
            yield from _bounds(*one)
    elif kind in (kinds.LITERAL, kinds.NOT_LITERAL):
        yield from (argument, argument + 1)
    elif kind is kinds.RANGE:
        yield from (argument[0], argument[1] + 1)


def _letters(automata: Sequence[_Automaton]) -> list[_Letter]:
    """Return a character for all that are alike: beyond ASCII, those of one range between the bounds."""
    bounds = sorted({128, *(bound for one in automata for bound in one.bounds if 128 < bound < 0x110000)})
    beyond = [
        chr(low)
        for low, high in zip(bounds, [*bounds[1:], 0x110000], strict=True)
        if high - low > 1 or chr(low).isprintable()
    ]
    known = [*zip(*(one.printed for one in automata), strict=True)]
    known += [tuple(one.known(text) for one in automata) for text in beyond]
    found: dict[tuple[Any, ...], _Letter] = {}
    for text, matched in zip([*_PRINTED, *beyond], known, strict=True):
        letter = _Letter(text, _KINDS.get(text, _OTHER), (text in "45", text in _DIGITS, text in _DIGITS), matched)
        found.setdefault((text == " ", *letter[1:]), letter)
    return list(found.values())


def _next_place(place: int, letter: _Letter) -> int:
    """Return the place in the line behind a character, -1 where it cannot stand there.

    0 to 2: in the code; 3: behind it; 4: behind its blank; 5: in a word; 6: behind a word's blank.
    """
    blank = letter.text == " "
    if place < 3:
        return place + 1 if letter.of_code[place] else -1
    if place == 3:
        return 4 if blank else -1
    if blank:
        return 6 if place == 5 else -1
    return 5


class _Seen:
    """What was followed already: where the unwanted one had reached no more nodes, it has all lines of this state."""

    def __init__(self, effort: _Effort) -> None:
        self._effort = effort
        self._least: dict[tuple[int, int, _State], list[frozenset[int]]] = {}

    def is_new(self, place: int, before: int, wanted: _State, unwanted: frozenset[int]) -> bool:
        """Return whether it is to be followed, and remember it. Raises Unknown."""
        least = self._least.setdefault((place, before, wanted), [])
        self._effort.spend(1 + len(least))
        if any(one <= unwanted for one in least):
            return False
        least.append(unwanted)
        return True


def _find(wanted: _Automaton, unwanted: _Automaton | None, effort: _Effort) -> str | None:
    """Return a line that the wanted one matches and the unwanted one does not, if there is one. Raises Unknown.

    Of the nodes that the wanted one reaches each is followed alone: one that matches is enough.
    """
    letters = _letters([wanted, unwanted] if unwanted else [wanted])
    effort.spend(len(_PRINTED))
    seen, walk = _Seen(effort), _Walk(wanted, effort)
    beside = _Walk(unwanted, effort) if unwanted else None
    waiting = deque([(0, _START, cast("_State", wanted.begin), unwanted.begin if unwanted else frozenset(), "")])
    while waiting:
        place, before, one, other, line = waiting.popleft()
        if place > 3 and walk.matches(one, before) and not (beside and beside.matches(other, before)):
            return line
        for letter in letters:
            onward = _next_place(place, letter)
            if onward < 0:
                continue
            others = beside.after(other, before, letter.kind, letter.known[1]) if beside else frozenset()
            if others is None:
                continue
            reached = walk.after(one, before, letter.kind, letter.known[0])
            for each in (None,) if reached is None else [frozenset({node}) for node in reached]:
                if seen.is_new(onward, letter.kind, each, others):
                    waiting.append((onward, letter.kind, each, others, line + letter.text))
    return None


@lru_cache(1000)
def line_for(pattern: Pattern) -> str | None:
    """Return a line of a refusal that the pattern matches, None where there is none, "" where nothing is known."""
    try:
        line = _find(_Automaton(pattern), None, _Effort(_MOST_STEPS))
    except (Unknown, RecursionError):
        return ""
    return None if line is None or len(line) > JUDGED else line  # it is the shortest one


class Comparisons:
    """Compares patterns with each other, as long as it takes no more than ``steps`` in all, and so many for each."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._automata: dict[Pattern, _Automaton] = {}

    def hides(self, earlier: Pattern, later: Pattern) -> bool:
        """Return whether ``earlier`` surely matches each refusal that ``later`` matches."""
        if earlier.covers(later):
            return True
        line = line_for(later)
        if not line or not earlier.compiled.search(line):
            return False
        effort = _Effort(min(self._left, _MOST_STEPS))
        begun = effort.left
        try:
            return _find(self._automaton(later, effort), self._automaton(earlier, effort), effort) is None
        except Unknown:
            return False
        finally:
            self._left -= begun - max(effort.left, 0)

    def _automaton(self, pattern: Pattern, effort: _Effort) -> _Automaton:
        if pattern not in self._automata:
            effort.spend(len(pattern.written))
            self._automata[pattern] = _Automaton(pattern)
        return self._automata[pattern]
