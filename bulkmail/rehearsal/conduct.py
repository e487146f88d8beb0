"""How a persona's behaviours are acted out in one conversation: which one applies, its waits, its words, its deed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bulkmail.rehearsal.behaviour import Behaviour, Step, Then

if TYPE_CHECKING:
    from bulkmail.rehearsal.dialogue import Dialogue

# What is said there is about a connection; all else is counted as said about mail.
_OF_CONNECTIONS = frozenset({Step.CONNECT, Step.EHLO, Step.HELO, Step.STARTTLS, Step.RSET, Step.QUIT})


class Conduct:
    """``held``: a reply waits or is being dripped, and all that follows waits with it."""

    __slots__ = ("_dialogue", "_later", "_waiting", "held")

    def __init__(self, dialogue: Dialogue) -> None:
        self.held = False
        self._dialogue = dialogue
        self._waiting: Any = None  # the timer of the reply that is held
        self._later: Any = None  # the timer of what comes unasked

    def find(self, step: Step, key: object, again: object, local: str = "") -> Behaviour | None:
        """The behaviour for this step. ``key``: what a share is drawn by; ``again``: what tries are counted by."""
        dialogue = self._dialogue
        scene, name = dialogue.scene, dialogue.persona.name
        for number, behaviour in dialogue.exchanger.steps[step]:
            if behaviour.local and not local.startswith(behaviour.local):
                continue
            if behaviour.behind and not dialogue.behind:
                continue
            if behaviour.secure not in (None, bool(dialogue.tls)):
                continue
            if behaviour.share < 1 and scene.chance(name, number, key) >= behaviour.share:
                continue
            if behaviour.tries and scene.tried((name, number, again)) > behaviour.tries:
                continue
            return behaviour
        return None

    def do(self, behaviour: Behaviour | None, usual: Callable[[], None]) -> None:
        """Behave so, or as usual; perhaps later."""
        if behaviour is None:
            usual()
        elif behaviour.wait:
            self.held = True
            self._waiting = self._in(behaviour.wait, self._go_on, partial(self._act, behaviour, usual))
        else:
            self._act(behaviour, usual)

    def heard(self) -> None:
        """The client has said something: what was to come after a pause does not."""
        later, self._later = self._later, None
        if later is not None:
            later.cancel()

    def stop(self) -> bool:
        """The connection is gone: no timer stays. Whether a reply was waiting."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        self.heard()
        return waiting is not None

    def _in(self, seconds: float, call: Callable[..., None], *arguments: Any) -> Any:
        scene = self._dialogue.scene
        return scene.call_later(seconds / scene.speed, call, *arguments)

    def _go_on(self, act: Callable[[], None]) -> None:
        self._waiting = None
        self.held = False
        act()
        self._dialogue.work()

    def _act(self, behaviour: Behaviour, usual: Callable[[], None]) -> None:
        dialogue, words = self._dialogue, behaviour.reply
        if words is None or behaviour.does:
            said = dialogue.words_of(usual)
            if dialogue.deaf:
                return
            words = said if words is None else words
        if behaviour.reply is not None:
            words = words.replace(b"{you}", dialogue.you)
            if behaviour.step not in _OF_CONNECTIONS:
                dialogue.scene.totals.said(words)
        dripping = bool(words and behaviour.drip)
        if words and not dripping:
            dialogue.say(words)
        if behaviour.step is Step.DOT and behaviour.reply is not None and not behaviour.does:
            dialogue.end_message(keep=behaviour.stores)
        if dripping:
            self.held = True
            dialogue.flush()
            self._drip(behaviour, words, 0)
        else:
            self._afterwards(behaviour, words)

    def _drip(self, behaviour: Behaviour, words: bytes, at: int) -> None:
        dialogue = self._dialogue
        dialogue.say(words[at : at + 1])
        dialogue.flush()
        if at + 1 < len(words):
            self._waiting = self._in(behaviour.drip, self._drip, behaviour, words, at + 1)
        else:
            self._go_on(partial(self._afterwards, behaviour, words))

    def _afterwards(self, behaviour: Behaviour, words: bytes) -> None:
        if behaviour.pause:
            self.heard()  # the last pause counts
            self._later = self._in(behaviour.pause, self._unasked, behaviour, words)
        else:
            self._finish(behaviour, words)

    def _unasked(self, behaviour: Behaviour, words: bytes) -> None:
        self._later = None
        self._finish(behaviour, words)
        self._dialogue.flush()

    def _finish(self, behaviour: Behaviour, words: bytes) -> None:
        dialogue, then = self._dialogue, behaviour.then
        if dialogue.deaf:
            return
        if behaviour.more:
            dialogue.say(behaviour.more)
        if then is Then.CLOSE:
            dialogue.hang_up()
        elif then is Then.FORGET:
            dialogue.forgets = True
        elif then is not Then.GO_ON:
            dialogue.fall_deaf(then, words)
