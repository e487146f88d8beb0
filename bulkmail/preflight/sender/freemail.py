"""Domains whose mailboxes belong to a mail provider: nobody but the provider may send mail from them."""

from __future__ import annotations

_DOMAINS = """\
gmail.com googlemail.com aol.com aim.com ymail.com rocketmail.com outlook.com hotmail.com live.com msn.com
passport.com icloud.com me.com mac.com gmx.com gmx.net gmx.de gmx.at gmx.ch gmx.us web.de t-online.de freenet.de
mail.com email.com post.com proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.io tuta.com
tutamail.com fastmail.com fastmail.fm hey.com zoho.com zohomail.com zohomail.eu yandex.com yandex.ru ya.ru mail.ru
bk.ru inbox.ru list.ru rambler.ru ukr.net i.ua seznam.cz email.cz centrum.cz wp.pl o2.pl onet.pl interia.pl
libero.it virgilio.it tiscali.it alice.it orange.fr wanadoo.fr free.fr sfr.fr laposte.net bbox.fr neuf.fr
comcast.net cox.net verizon.net att.net sbcglobal.net bellsouth.net charter.net earthlink.net btinternet.com sky.com
talktalk.net virginmedia.com ntlworld.com blueyonder.co.uk bluewin.ch hispeed.ch ziggo.nl kpnmail.nl planet.nl
xs4all.nl telenet.be skynet.be qq.com foxmail.com 163.com 126.com yeah.net sina.com sohu.com 139.com naver.com
hanmail.net daum.net nate.com rediffmail.com uol.com.br bol.com.br terra.com.br ig.com.br bigpond.com
optusnet.com.au xtra.co.nz sapo.pt walla.co.il
"""
_WHOLE = frozenset(_DOMAINS.split())
_COUNTRIES = ("yahoo", "hotmail", "outlook", "live")  # with the domains of many countries, such as yahoo.co.jp


def is_freemail(domain: str) -> bool:
    """Return whether ``domain`` (lower case, A-labels) is one of a provider's for private mailboxes."""
    if domain in _WHOLE:
        return True
    name, _, ending = domain.partition(".")
    labels = ending.split(".")
    of_a_country = len(labels[-1]) == 2 and len(labels) <= 2 and (len(labels) == 1 or labels[0] in ("co", "com", "ne"))
    return name in _COUNTRIES and (of_a_country or ending == "com")
