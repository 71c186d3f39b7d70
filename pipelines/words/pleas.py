"""Words of sentences that ask for no more mail, and of consents that are not confirmed yet. Pure.

Folded, with * for the rest of a word, in the languages of `pipelines.words.opting_out`.
"""

NOTES = """note|notes|comment|comments|remark|remarks|memo|message|messages|feedback|misc|info|infos
    |information|description|history|other|others|additional info|more info|free text|reason|notiz|notizen
    |bemerkung|bemerkungen|kommentar|kommentare|anmerkung|anmerkungen|hinweis|hinweise|sonstiges|zusatz
    |nachricht|remarque|remarques|commentaire|commentaires|observation|observations|divers|nota|notas
    |comentario|comentarios|observacion|observaciones|annotazioni|commento|commenti|osservazioni
    |observacao|observacoes|recado|opmerking|opmerkingen|notitie|notities|overig|uwaga|uwagi|notatka
    |notatki|komentarz|komentarze|opis"""
"""Words of headers whose cells are sentences."""

NEGATION = """no|not|never|t|dont|kein*|nicht|nie|ne|n|pas|plus|non|niente|nunca|nao|nenhum*|ningun*|niet
    |geen|nooit|zadnych|without|ohne|sans|sin|senza|sem|zonder|bez"""
DENIAL = """no|not|never|dont|cannot|cant|wont|kein*|nicht|ne|non|sans|niente|nunca|nao|nenhum*|ningun*|niet
    |geen|nie|zadnych|bez|brak"""
"""Words of denial in a header. One of OF behind it makes a number of it."""
OF = frozenset(("of", "de", "di", "do", "da", "von"))
REFUSES = """refus*|rifiut*|rechaz*|recus*|weiger*|odmaw*|odmow*|odrzuc*|reject*|declin*|verweiger*|ablehn*
    |abgelehnt|lehnt|deny|denies|denied|avoid*|remov*|exclu*|esclus*|ausgeschlossen|uitgesloten|wyklucz*|revo*
    |withdr*|widerruf*|entzogen|ritirat*|retire|retiree|retirad*|ingetrokken|cofn*|wycof*|gestoppt|stopped
    |gestopt|untersagt|zuruckgezogen|zurueckgezogen|prohib*|forbid*|verboten|interdit*|deaktiviert|disabled
    |desactiv*|disattivat*|wylaczon*
    |block*|bloque*|bloccat*|gesperrt|geblokkeerd|zablokowan*|bezwaar|sprzeciw*|opposition|opposizione
    |oposicion
    |unwanted|ungewollt"""
"""Words of refusing and taking back: beside mail, a list or consent a header of them says no."""
SENDING = """hear|receive|contacted|mailed|mailing*|empfang|versand|zusendung|envoi*|envio*|invio|invii
    |verzending|wysylk*
    |kontaktu"""
"""Words that stand for mail in a header."""
CONSENT = """consent*|consens*|einwilligung*|zustimmung*|toestemming*|zgod*|permission*|permiso*|autorizza*
    |autoriza*|akkoord|accord"""
PERMITS = """allow*|permit*|permet*|permess*|erlaubt|gestattet|autoriz*|autorizz*|autorise*|toegestaan|zezwal*
    |want*|wish*|souhait*|veut|desea*|quier*|vuole|desidera*|deseja*|quer*|wil|wenst|chce*|zyczy*|mochte*
    |moechte*
    |wunscht*|wuenscht*"""
WISH = """want*|wish*|like|anymore|more|longer|further|again|mochte*|moechte*|will|wollen|wunscht*
    |wuenscht*
    |mehr|weitere*|veut|veulent|souhait*|desir*|davantage|plus|quier*|desea*|mas|vuole|vogliono|desidera*
    |piu|quer*|deseja*|mais|wil|wenst|wenscht|meer|chce*|zyczy*|wiecej|juz"""
MAIL = """mail*|email*|emails|newsletter*|werbung|werbe*|infolettre*|publicite*|pub|courriel*|correo*
    |boletin*|publicidad|comunicacion*|pubblicita|messaggi|comunicazion*|comunicac*|mensajes|mensagens
    |propaganda|nieuwsbrief*|nieuwsbrieven|reclame|biuletyn*|reklam*|wiadomosc*|marketing|advert*|promo*
    |contact*|kontakt*|contatt*|contat*"""
LIST = """list|lists|listy|liscie|liste|listen|lista|listas|lijst|verteiler*|mailing*|mailinglist*
    |newsletter*
    |nieuwsbrief*|infolettre*|boletin*|datenbank|database|adressliste"""
REMOVE = """remov*|delet*|eras*|take|austragen|streichen|entfernen|loschen|loeschen|nehmen|rausnehmen
    |retir*
    |enlev*|supprim*|desinscri*|quit*|elimin*|borr*|sacar|saquen|togli*|rimuov*|cancella*|tirar|tirem
    |excluir|excluam|verwijder*|uitschrijv*|halen|usun*|wypis*|skresl*"""
ASKED = (
    r"(?:ask|request|want|beg|demand|wish)\w* (?:(?:to|me to) be|for)"
    r" (?:removed?|removal|deleted?|deletion|erased|erasure|unsubscribed?|taken off)"
    r"|request\w* (?:the )?(?:removal|deletion|erasure)|stop (?:e ?mail|send|contact|writ|spam)\w*"
)
"""A pattern."""

CONFIRM = """confirm*|unconfirm*|verif*|doi|double|bestatig*|bestaetig*|bevestig*|conferm*|confirma*
    |potwierdz*"""
NOT_YET = """pending|await*|waiting|wait|ausstehend*|offen|wartet|warten|erwart*|attente|pendient*|espera*
    |attesa|aguard*|pendente*|wacht|wachten*|afwachting|oczekuj*|oczekiwan*"""
SENT = "sent|gesendet"
"""Of a request to confirm: it was not answered."""
UNCONFIRMED = """unconfirmed|unverified|unbestatigt*|unbestaetigt*|onbevestigd*|niepotwierdz*|nieverif*"""
"""Words that stand for both."""
