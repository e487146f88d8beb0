"""How a persona's behaviours are acted out on one connection: which one applies, its waits, its reply, its action."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bulkmail.rehearsal.behaviour import Behaviour, Step, Then
from bulkmail.rehearsal.speaker import Speaker

# Replies to these steps are about a connection; all others are counted as replies about mail.
_OF_CONNECTIONS = frozenset({Step.CONNECT, Step.EHLO, Step.HELO, Step.STARTTLS, Step.RSET, Step.QUIT})


class ScriptedReplies:
    """Chooses behaviours and plays them. ``resume`` is called when a reply that was held has been said.

    ``held``: a reply waits or is sent byte by byte, and all that follows waits with it. ``drops_input``: what came
    behind the present command is to be thrown away; the session does so, and clears it.
    """

    __slots__ = ("_later", "_resume", "_speaker", "_waiting", "drops_input", "held")

    def __init__(self, speaker: Speaker, resume: Callable[[], None]) -> None:
        self.held = False
        self.drops_input = False
        self._speaker = speaker
        self._resume = resume
        self._waiting: Any = None  # the timer of the reply that is held
        self._later: Any = None  # the timer of what comes unasked

    def at(self, step: Step, usual: Callable[[], None]) -> None:
        """Play a step of the connection, or of a message whose recipients are not known yet."""
        speaker = self._speaker
        if speaker.exchanger.steps[step]:
            client = speaker.client
            self.play(self.find(step, f"{client.serial} {client.messages}", client.ip), usual)
        else:
            usual()

    def find(self, step: Step, key: object, again: object, local: str = "") -> Behaviour | None:
        """Choose the behaviour for this step, None for the usual one.

        ``key``: what a share is drawn by; ``again``: what tries are counted by; ``local``: the recipient's local part
        in lower case.
        """
        speaker = self._speaker
        network, name, client = speaker.network, speaker.persona.name, speaker.client
        for number, behaviour in speaker.exchanger.steps[step]:
            if behaviour.local and not local.startswith(behaviour.local):
                continue
            if behaviour.behind and not client.behind:
                continue
            if behaviour.secure not in (None, bool(client.tls)):
                continue
            if behaviour.share < 1 and network.chance(name, number, key) >= behaviour.share:
                continue
            if behaviour.tries and network.count_try((name, number, again)) > behaviour.tries:
                continue
            return behaviour
        return None

    def play(
        self,
        behaviour: Behaviour | None,
        usual: Callable[[], None],
        replaced: Callable[[bool], None] | None = None,
    ) -> None:
        """Behave so, or as usual; perhaps later.

        ``replaced`` is called where the behaviour's reply took the place of ``usual``: True where the message is
        stored all the same.
        """
        if behaviour is None:
            usual()
        elif behaviour.wait:
            self.held = True
            self._waiting = self._in(behaviour.wait, self._go_on, partial(self._act, behaviour, usual, replaced))
        else:
            self._act(behaviour, usual, replaced)

    def cancel_unasked(self) -> None:
        """Drop what was to be said after a pause: the client has said something meanwhile."""
        later, self._later = self._later, None
        if later is not None:
            later.cancel()

    def stop(self) -> bool:
        """Cancel all timers, as the connection is gone. Whether a reply was waiting."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        self.cancel_unasked()
        return waiting is not None

    def _in(self, seconds: float, call: Callable[..., None], *arguments: Any) -> Any:
        network = self._speaker.network
        return network.call_later(seconds / network.speed, call, *arguments)

    def _go_on(self, act: Callable[[], None]) -> None:
        self._waiting = None
        self.held = False
        act()
        self._resume()

    def _act(
        self, behaviour: Behaviour, usual: Callable[[], None], replaced: Callable[[bool], None] | None = None
    ) -> None:
        speaker, words = self._speaker, behaviour.reply
        if words is None or behaviour.does:
            said = speaker.replies_of(usual)
            if speaker.finished:
                return
            words = said if words is None else words
        if behaviour.reply is not None:
            words = words.replace(b"{you}", speaker.client.name)
            if behaviour.step not in _OF_CONNECTIONS:
                speaker.network.totals.replied(words)
        dripping = bool(words and behaviour.drip)
        if words and not dripping:
            speaker.say(words)
        if replaced is not None and behaviour.reply is not None and not behaviour.does:
            replaced(behaviour.stores)
        if dripping:
            self.held = True
            speaker.flush()
            self._drip(behaviour, words, 0)
        else:
            self._afterwards(behaviour, words)

    def _drip(self, behaviour: Behaviour, words: bytes, at: int) -> None:
        speaker = self._speaker
        speaker.say(words[at : at + 1])
        speaker.flush()
        if at + 1 < len(words):
            self._waiting = self._in(behaviour.drip, self._drip, behaviour, words, at + 1)
        else:
            self._go_on(partial(self._afterwards, behaviour, words))

    def _afterwards(self, behaviour: Behaviour, words: bytes) -> None:
        if behaviour.pause:
            self.cancel_unasked()  # the last pause counts
            self._later = self._in(behaviour.pause, self._unasked, behaviour, words)
        else:
            self._finish(behaviour, words)

    def _unasked(self, behaviour: Behaviour, words: bytes) -> None:
        self._later = None
        self._finish(behaviour, words)
        self._speaker.flush()

    def _finish(self, behaviour: Behaviour, words: bytes) -> None:
        speaker, then = self._speaker, behaviour.then
        if speaker.finished:
            return
        if behaviour.more:
            speaker.say(behaviour.more)
        if then is Then.CLOSE:
            speaker.hang_up()
        elif then is Then.FORGET:
            self.drops_input = True
        elif then is not Then.GO_ON:
            speaker.finish(then, words)
