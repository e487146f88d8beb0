"""What receivers say in German, French, Spanish, Portuguese, Chinese, Japanese and a dozen others, as patterns.

In front of a mailbox's fault stands what names the mailbox, or behind it; the words between are few. All are matched
against the words without accents, as `phrases.plain_words` gives them.
"""

from __future__ import annotations

_MAILBOX = (
    # German, Dutch and English words in their sentences
    r"(?:empfa(?:e)?nger\w*|adress\w*|postf(?:a|ae)ch\w*|benutzer\w*|mailbox|konto|account|teilnehmer|kunde|nutzer"
    r"|mailadresse|gebruiker|ontvanger|postbus|brievenbus|adres"
    # French
    r"|utilisateur|destinataire|boi?.?te(?: (?:aux|a) lettres| mail)?|compte|usager|abonne|correspondant"
    # Spanish, Portuguese, Italian
    r"|usuario|destinatario|buzon|casilla|cuenta(?: de correo)?|direccion|caixa(?: postal| de (?:correio|entrada))?"
    r"|conta|endereco|utilizador|utente|casella(?: di posta)?|indirizzo|recapito"
    # Russian
    r"|пользовател\S*|ящик\S*|получател\S*|адрес\S*|аккаунт\S*|учетн\S+ запис\S*|абонент\S*"
    # Polish, Swedish, Danish, Turkish
    r"|uzytkownik\w*|skrzynk\w*|konto|mottagar\w*|anvandar\w*|bruger\w*|modtager\w*|postkasse\w*|kullanic\w*|alici)"
)
_UNKNOWN = (
    r"(?:unbekannt\w*|existiert (?:\S+ )?nicht|nicht (?:\S+ )?(?:gefunden|vorhanden|bekannt|existiert|gultig|gueltig)"
    r"|gibt es (?:\S+ ){0,3}nicht|ungultig\w*|ungueltig\w*|falsch"
    r"|onbekend\w*|bestaat (?:\S+ )?niet|niet (?:gevonden|bekend)|ongeldig\w*"
    r"|inconnue?|inexistante?|n.?(?:existe|est) (?:pas|plus)|introuvable|invalide|(?:non|pas) (?:ete )?(?:trouvee?"
    r"|valide)"
    r"|desconocid[oa]|no existe|no (?:fue |se |es |ha sido |pudo ser )?(?:encontrad[oa]|encuentra|encontro|valid[oa])"
    r"|inexistente|invalid[oa]"
    r"|desconhecid[oa]|nao (?:foi )?(?:existe|encontrad[oa]|cadastrad[oa]|localizad[oa])"
    r"|sconosciut[oa]|inesistent[ei]|non (?:e )?(?:stat[oa] )?(?:esiste|trovat[oa]|valid[oa]|presente)"
    r"|не (?:был )?(?:наиден\S*|существует|зарегистрирован\S*|обнаружен\S*)|неизвест\S+|отсутствует|недеиствител\S+"
    r"|несуществ\S+"
    r"|nie istnieje|nie (?:zosta\S+ )?znalezion\w+|nieznan\w+"
    r"|finns inte|okand\w*|findes ikke|ukendt|bulunamadi|bilinmeyen)"
)
_GAP = r"(?: \S+){0,5}?"

NO_SUCH_MAILBOX = (
    rf"{_MAILBOX}\b{_GAP} {_UNKNOWN}",
    rf"{_UNKNOWN} (?:\S+ ){{0,3}}?{_MAILBOX}",
    rf"(?:пользовател|ящик|получател|адрес|абонент)\S*{_GAP} {_UNKNOWN}",
    rf"kein(?:e|en|es)? (?:\w+ )?{_MAILBOX}",
    rf"(?:aucun|pas de|pas d.|ningun|nenhum|nessun|geen)\w* (?:\w+ )?{_MAILBOX}",
    r"так(?:ого|ои) (?:пользовател|адрес|ящик|получател)\S*(?: \S+){0,2} (?:не|нет)",
    r"нет так(?:ого|ои)",
    r"(?:brak|nie ma) (?:takie(?:go|j) )?(?:uzytkownik|kont|skrzynk|adres|odbiorc)\w*",
    # Chinese and Japanese, which write no blanks
    (
        r"(?:用户|用戶|使用者|收件人|收件者|邮箱|郵箱|信箱|账号|帐号|帳號|帳戶)(?:(?!发件|寄件).){0,12}?(?:不存在|未找到|找不到|无效|無效)"
    ),
    (
        r"(?:ユーサ|宛先|受信者|メールアトレス|メールホックス)\S{0,12}?(?:存在しません|存在しない|見つかりません|見つからない|不明)"
    ),
)
INACTIVE = (
    (
        rf"{_MAILBOX}\b{_GAP} (?:deaktiviert|gesperrt|geschlossen|gekundigt|gekuendigt|geloscht|geloescht|stillgelegt"
        rf"|inaktiv"
        r"|abgeschaltet|abgemeldet|abgelaufen|nicht mehr (?:aktiv|gultig|gueltig|verfugbar|in (?:gebrauch|betrieb))"
        r"|desactivee?|suspendue?|fermee?|cloturee?|bloquee?|inactive?|expiree?|supprimee?|resiliee?"
        r"|desactivad[oa]|deshabilitad[oa]|inhabilitad[oa]|suspendid[oa]|cancelad[oa]|cerrad[oa]|bloquead[oa]"
        r"|inactiv[oa]"
        r"|dad[oa] de baja|eliminad[oa]|desativad[oa]|desabilitad[oa]|suspens[oa]|encerrad[oa]|inativ[oa]|excluid[oa]"
        r"|disabilitat[oa]|disattivat[oa]|sospes[oa]|chius[oa]|bloccat[oa]|scadut[oa]|inattiv[oa]"
        r"|niet (?:meer )?actief|uitgeschakeld|geblokkeerd|opgeheven|afgesloten|gedeactiveerd|inactief|gesloten"
        r"|verwijderd|opgezegd)\b"
    ),
    (
        r"(?:пользовател|ящик|получател|адрес|аккаунт|запис)\S*(?: \S+){0,4}?"
        r" (?:заблокирован|отключен|удален|неактивен|закрыт|деактивирован|приостановлен)"
    ),
    r"(?:заблокирован|отключен|удален|неактивн|закрыт)\S* (?:пользовател|ящик|получател|аккаунт)",
)
QUOTA = (
    (
        r"(?:postf(?:a|ae)ch\w*|mailbox|konto|speicher\w*|kontingent|quota)(?: \S+){0,4}?"
        r" (?:voll|uberfullt|ueberfuellt|uberschritten|ueberschritten|erschopft|erschoepft|ausgeschopft)\b"
    ),
    r"(?:boi?.?te|compte|quota|espace)\b(?: \S+){0,5}? (?:pleine?|sature\w*|depasse\w*|insuffisant)\b",
    (
        r"(?:buzon|cuenta|casilla|cuota|cota|espacio|usuario)\b(?: \S+){0,4}? (?:llen[oa]|exced\w+|superad[oa]"
        r"|sobrepasad[oa])\b"
    ),
    r"(?:caixa|conta|espaco|usuario)\b(?: \S+){0,4}? (?:chei[oa]|lotad[oa]|exced\w+|estourad[oa]|esgotad[oa])\b",
    r"(?:casella|spazio|utente|memoria)\b(?: \S+){0,4}? (?:pien[oa]|superat[oa]|esaurit[oa])\b",
    r"(?:postbus|brievenbus|mailbox|opslag\w*|limiet|quotum)\b(?: \S+){0,4}? (?:vol|overschreden|bereikt)\b",
    r"(?:ящик|квот|мест)\S*(?: \S+){0,4}? (?:переполнен|превышен|заполнен|закончил|исчерпан)",
    r"переполнен\S* (?:\S+ )?ящик|превышен\S* (?:\S+ )?(?:квот|размер|лимит)|нет (?:свободного )?места",
)
SENDER = (
    (
        r"发件人|寄件人|寄件者|送信者|差出人"
        r"|\babsender|\bexpediteur|\bremitente|\bmittente|\bremetente|\bafzender|отправител|\bnadawc|\bavsandar"
    ),
)
REFUSED = (
    r"verweigert|abgelehnt|abgewiesen|refuse|rechazad|rifiutat|recusad|rejeitad|geweigerd|отклонен|отказан|odrzucon",
)
