"""How headers and cells say that a person must not be mailed, in the languages of the exports. Pure.

Phrases, as `folded` makes them, in families: a space may be missing in a text, and * stands for the rest of a
word. CLEAR ones are said of nothing but mail, so they count wherever a cell begins with them. SHORT ones are
said of orders and machines as well: they count where a cell says little else, and never of a name or a sale.
"""


def phrases(table: str) -> list[str]:
    """Those of a table, in its order."""
    return [" ".join(one.split()) for one in table.split("|") if one.strip()]


CLEAR = {
    "en": """unsub|unsubs|unsubscrib*|unmailable|un subscrib*|opt out*|opted out|opts out|opting out
        |opt ed out|do not contact
        |do not email
        |do not e mail|do not mail|do not send|do not disturb|do not market|do not solicit
        |do not subscribe
        |don t contact|don t email|don t e mail|don t mail|don t send|dont contact|dont email|dont mail
        |dont send|dnd|no longer subscribed|no longer wants|no longer receiv*|not subscribed
        |non subscribed
        |non subscriber*
        |nonsubscri*|never subscribed|not opted in|not consented|not permitted|not mailable|no consent
        |no permission|no email|no emails|no e mail|no e mails|no mail|no mails|no mailing*|no marketing
        |no newsletter*|no contact|stop email*|stop e mail*|stop mail*|remove me|blacklist*|black list*
        |blocklist*|block list*|suppressed|suppression*|suppress|suppress list|suppression list
        |bounce|bounced|bounces|bouncing|hard bounce*|soft bounce*|email bounce*|spam complain*
        |spam report*
        |spam trap|spamtrap|marked as spam|marked spam|reported spam|reported as spam|reported abuse
        |abuse complain*|abuse report*|complained|complaint|complaints|complainer|complain|undeliver*
        |email undeliver*|invalid email*|invalid e mail*|invalid address|email invalid|bad email
        |bad address
        |non marketing contact*|consent withdrawn|consent revoked|consent denied|consent refused
        |consent declined|withdrew consent|withdrawn consent|revoked consent|objected|objection to*
        |stop emailing|stop mailing|stop sending|no such user|no such mailbox|user unknown|unknown user
        |mailbox full|mailbox unavailable|mailbox not found|mailbox disabled|recipient rejected
        |recipient not found|address not found|domain not found|host not found|account disabled""",
    "de": """abgemeldet*|abmeldung*|abmelden|abbestell*|ausgetragen|austragung*|abo beendet|werbesperre*
        |mailsperre*|werbewiderspruch*|widerspruch*|widersprochen|widerruf*|sperrliste|robinson*
        |unzustellbar*|beschwerde*|schwarze liste|nicht kontaktieren|nicht mehr kontaktieren
        |nicht anschreiben|nicht mehr anschreiben|nicht mailen|nicht senden|nicht zusenden
        |nicht angemeldet|nicht abonniert|nicht zugestimmt|nicht einverstanden|nicht erlaubt
        |nicht zustellbar|nicht mehr abonniert|kein newsletter|keine newsletter|keinen newsletter
        |keine werbung|keine mail*|keine e mail*|keine email*|kein kontakt|keine kontaktaufnahme
        |keine einwilligung|keine zustimmung|kein mailing|kein marketing|rucklaufer*|spam beschwerde*
        |spam gemeldet|einwilligung widerrufen|einwilligung entzogen|bitte nicht *
        |spambeschwerde*|postfach voll|empfanger unbekannt|empfaenger unbekannt""",
    "fr": """desabonn*|des abonn*|desinscri*|des inscri*|desinscript*|ne pas contacter|ne plus contacter
        |ne pas envoyer|ne plus envoyer|ne pas solliciter|ne pas relancer|ne pas deranger|ne pas ecrire
        |ne pas demarcher|ne pas mailer|ne souhaite pas|ne souhaite plus|ne veut pas|ne veut plus
        |pas de newsletter*|pas de mail*|pas de e mail*|pas d email*|pas de contact|pas de pub*
        |pas de consentement|pas de prospection|non inscrit*|non abonne*|non consenti*|non souscrit*
        |pas inscrit*|pas abonne*|plainte*|rebond|rebonds|liste noire|liste rouge|opposition|oppose
        |opposee|stop mail*|stop pub|adresse invalide|email invalide|consentement retire*
        |consentement refuse*|consentement revoque*|a refuse|signale comme spam|signalement spam
        |non distribue*|non delivre*
        |plus abonne*|plus inscrit*|plus interesse*
        |npai|boite pleine|destinataire inconnu""",
    "es": """dado de baja|dada de baja|dados de baja|se dio de baja|darse de baja|dar de baja|baja de *
        |baja voluntaria
        |fecha de baja|solicita baja|solicito baja|baja suscripcion*|baja newsletter*|baja boletin*
        |desuscri*|de suscri*|dessuscri*|desinscri*|anulo la suscripcion|cancelo suscripcion*
        |cancelo la suscripcion|suscripcion cancelada|suscripcion anulada|no contactar|no enviar*
        |no molestar|no mandar|no escribir|no suscrit*|no suscript*|no desea*|no acepta*|no autoriza*
        |no quiere*|no consiente|rebotad*|rebote|rebotes|queja|quejas|se quejo|lista negra
        |sin consentimiento|consentimiento retirado|consentimiento revocado|correo invalido
        |no entregable|no entregad*|marcado como spam
        |buzon lleno|usuario desconocido""",
    "it": """disiscri*|dis iscri*|disabbon*|cancellato dalla*|cancellata dalla*|cancellazione iscrizione
        |cancellazione newsletter|iscrizione cancellata|non contattare|non inviare|non disturbare
        |non iscritt*|non mandare|non scrivere|non accetta*|non autorizza*|non consente|non desidera*
        |non vuole*|rimbalz*|reclamo|reclami|lista nera|segnalato come spam|segnalata come spam
        |segnalazione spam|senza consenso|consenso revocato|consenso negato|consenso ritirato
        |nessun consenso|niente newsletter|niente email|email non valida|indirizzo non valido
        |non recapitabile|non consegnat*
        |casella piena|utente sconosciuto""",
    "pt": """descadastr*|des cadastr*|desinscri*|desinscrev*|des inscri*|cancelou a inscricao
        |cancelou inscricao|inscricao cancelada|assinatura cancelada|cancelamento de inscricao
        |nao contactar|nao contatar|nao enviar*|nao perturb*|nao incomodar|nao inscrit*|nao mandar
        |nao aceita*|nao autoriza*|nao deseja*|nao quer*|nao consente|nao assinante|devolvid*|reclamacao
        |reclamou|reclamacoes|lista negra|sem consentimento|consentimento retirado
        |consentimento revogado|saiu da lista|marcou como spam|denunci* spam|email invalido|nao entregue
        |caixa cheia|usuario desconhecido""",
    "nl": """afgemeld*|afmelding*|afmelden|uitgeschreven|uitschrij*|niet mailen|niet meer mailen
        |niet contacteren|niet meer contacteren|niet benaderen|niet meer benaderen|niet emailen
        |niet e mailen|niet aangemeld|niet ingeschreven|niet geabonneerd|niet akkoord|niet toegestaan
        |niet sturen|niet versturen|niet storen|niet bezorgbaar|geen mail*|geen nieuwsbrief*
        |geen e mail*|geen email*|geen toestemming|geen contact|geen marketing|geen reclame|klacht
        |klachten|zwarte lijst|onbestelbaar*|toestemming ingetrokken|als spam gemeld|gemeld als spam
        |bezwaar
        |spamklacht*|postvak vol|mailbox vol""",
    "pl": """wypisan*|wypisal*|wypisac*|wypisz*|wypis z *|rezygnac*|zrezygnowa*|rezygnuje*
        |nie kontaktowac*
        |nie wysylac*|nie mailowac|nie subskrybuj*|nie zapisan*|nie wyraz*|nie wyrazil*|nie zgadza*
        |nie przeszkadzac|nie pisac|brak zgody|bez zgody|odbit*|zwrot poczty|skarga|skargi|czarna lista
        |wyrejestrowan*|niesubskryb*|odsubskryb*|odwolana zgoda|zgoda wycofana|zgoda cofnieta
        |wycofana zgoda|cofnieta zgoda|sprzeciw*|nie doreczono|niedorecz*|oznaczon* jako spam
        |zgloszon* jako spam
        |skrzynka pelna|uzytkownik nieznany""",
    "others": """配信停止*|購読解除*|登録解除*|配信不可|配信拒否|受信拒否|受信不可|退会*
        |avregistrerad*|avanmald*|avprenumer*|avmeld*|frameld*
        |afmeldt|odhlas*|отписан*|отписал*|отписка*|не писать|не беспокоить|отказ от *|жалоба*
        |退订*|取消订阅*|拒收|leiratkoz*|dezabon*|abonelikten cik*
        |odjav*|listeden cik*""",
}
SHORT = {
    "en": """abuse|dnc|subscription cancel*|cancelled subscription*|canceled subscription*|spam|spammed
        |junk|removed|archived|canceled|cancelled|blocked|cleaned|inactive|in active
        |disabled|deactivated|deleted|rejected|refused|declined|denied|withdrawn|withdrew|revoked
        |invalid|banned|barred|suspended|stopped|dropped|unreachable|erased|gdpr delet*|gdpr eras*
        |forgotten|deceased|quarantin*|excluded|not interested|not active|no longer active
        |refusal|denial|expired|redacted|anonymi*|erasure request*|deletion request*|data deletion""",
    "de": """gesperrt|geblockt|blockiert|gekundigt|gekuendigt|geloscht|geloescht|inaktiv|entfernt
        |archiviert
        |deaktiviert|ungultig|ungueltig|abgelehnt|bereinigt|stillgelegt|verweigert|zuruckgezogen
        |zurueckgezogen|unerwunscht|storniert|ausgeschlossen|verstorben|gestoppt
        |verweigerung|ablehnung|loschung|loeschung|loschantrag|loeschantrag
        |anonymisiert|abgelaufen|erloschen""",
    "fr": """bloque*|refuse|refusee|inactif|inactive|supprime|supprimee|archive|archivee|annule|annulee
        |revoque|revoquee|resilie|resiliee|desactive|desactivee|invalide|exclu|exclue|nettoye|nettoyee
        |retire|retiree|injoignable|indesirable|decede|decedee|rejete|rejetee
        |refus|effacement|efface*|anonymise*|perime*|expire*""",
    "es": """de baja|bloquead*|excluid*|inactiv*|revocad*|eliminad*|cancelad*|archivad*|rechazad*
        |anulad*|suprimid*|desactivad*|invalid*|borrad*|depurad*|retirad*|fallecid*
        |rechazo|denegad*|negad*|caducad*|expirad*|anonimizad*""",
    "it": """cancellat*|bloccat*|inattiv*|revocat*|rimoss*|archiviat*|eliminat*|rifiutat*|negat*|esclus*
        |soppress*|disattivat*|annullat*|ritirat*|non valid*|respint*|deceduto|deceduta
        |rifiuto|scadut*|anonimizzat*""",
    "pt": """bloquead*|inativ*|inactiv*|removid*|excluid*|revogad*|cancelad*|arquivad*|rejeitad*|eliminad*
        |recusad*|apagad*|suprimid*|desativad*|invalid*|falecid*|retirad*
        |recusa|negad*|expirad*|anonimizad*""",
    "nl": """geblokkeerd|inactief|opgezegd|verwijderd|ingetrokken|geweigerd|gearchiveerd|geannuleerd
        |opgeschoond|uitgeschakeld|gedeactiveerd|ongeldig|gestopt|overleden|uitgesloten
        |weigering|geanonimiseerd|verlopen""",
    "pl": """zablokowan*|nieaktywn*|usuniet*|wycofan*|anulowan*|odrzucon*|zarchiwizowan*|wylaczon*
        |niewazn*
        |oczyszczon*|cofniet*|dezaktywowan*|wykluczon*|zmarl*
        |wygasl*|zanonimizowan*|odmow*""",
    "others": """無効|解除|削除|停止|拒否*|拒绝*|reddedil*|odbijen*|inaktivert|inaktiverad
        |неактивен|заблокирован*|удален*""",
}
ALONE = frozenset(("baja", "stop", "stop!", "out"))
"""Words that say it where nothing else stands in the cell: Baja California is a place."""
ALLOWED = """subscribed|subscriber|active|confirmed|opted in|opt in|single opt in|double opt in
        |confirmed opt in|valid|verified|ok|okay|good|clean|deliverable|delivered|enabled|engaged
        |registered|accepted|approved|allowed|granted|given|permitted|marketing contact|contact|member
        |customer|lead|prospect|client|vip|new|current|sent|opened|clicked|normal|regular|mailable
        |allow|reachable|consented|agreed|former customer|former client|partner|interessent*|abonniert
        |angemeldet|eingetragen|aktiv|bestatigt|bestaetigt
        |zugestimmt|kunde|kundin|abonne*|inscrit*|actif|active|confirme*|valide|client*|suscrit*
        |suscript*|activ*|confirmad*|alta|dado de alta|cliente*|iscritt*|attiv*|confermat*|inscrit*
        |ativ*|assinante|cadastrad*|ingeschreven|aangemeld|geabonneerd|actief|bevestigd|klant|zapisan*
        |aktywn*|potwierdzon*|klient*|subskryb*|購読中|登録済*|有効"""
"""What a status says of people who may be mailed, or of something else than mail."""

FALSE = frozenset(
    phrases(
        """no|n|false|f|0|off|none|null|never|na|n a|nil|nan|not set|unset|undefined|nein|non|nee|neen|nie
        |nao|ne|nei|nej|falsch|faux|falso|falsa|onwaar|falsz|いいえ|нет|nessuno|ninguno|nenhum|aucun|aucune
        |geen|keine|keiner|brak|no bounce|no bounces|not unsubscribed|not bounced|not blocked|0 0|00
        |0000 00 00|0000 00 00 00 00 00|unchecked|disallowed|unknown|nope|nah|ei|nem|hayir|否|uit|aus
        |nu|unticked|not ticked|not checked|not selected|unselected|deselected"""
    )
)
TRUE = frozenset(
    phrases(
        """yes|y|true|t|1|on|x|ja|j|oui|o|si|s|sim|tak|wahr|vrai|verdadero|vero|verdadeiro|waar|prawda|はい
        |да|checked|1 0|yep|yeah|ano|igen|evet|kylla|hai|是|ticked|selected"""
    )
)
"""Words folded; a tick alone folds to nothing and stands for yes, too."""

OTHER_CHANNELS = frozenset(
    phrases(
        """sms|mms|phone|phones|telephone|call|calls|calling|whatsapp|text|texts|texting|fax|push|viber
        |mobile|tel|cell|telefon|telefono|telefone|telefoon|anruf|anrufe|appel|appels|llamada|llamadas
        |llamar|arama|aramalar|voicemail|messenger|facebook|postal|cookie|cookies|tracking"""
    )
)
MAIL = frozenset(("email", "emails", "mail", "mails", "newsletter"))
NO_STATUS = frozenset(
    phrases(
        """link|url|uri|token|hash|key|page|count|counts|number|num|total|rate|score|clicks|html|code
        |template|guid|uuid|href|footer|percent|photo|photos|foto|fotos|image|images|video|medical|parental
        |waiver"""
    )
)
"""Headers with one of these hold what goes into a mail, what was counted, or a consent to something else."""
PLACES = frozenset(
    phrases(
        """street|strasse|rue|calle|city|town|stadt|ort|ville|ciudad|citta|cidade|plaats|miasto|state|province
        |provinz|region|country|land|pays|pais|zip|plz|postcode|address|adresse|direccion|indirizzo|endereco
        |adres|line|county"""
    )
)
"""Of a postal address, as `Mailing Country`, whose cell `NO` is Norway."""
WHEN_OR_HOW = frozenset(
    phrases(
        """date|dates|time|timestamp|datetime|ip|source|method|id|type|reason|version|form|when|by
        |via|datum|fecha|data|heure|hora|ora|zeit|where|channel|language|name|frequency"""
    )
)
"""Of a consent: when and how it was given, which is no yes or no."""
BUSINESS = frozenset(
    phrases(
        """order|orders|payment|payments|invoice|invoices|deal|deals|ticket|tickets|task|tasks|shipping
        |shipment|fulfillment|fulfilment|financial|refund|product|products|plan|appointment|booking
        |event|course|trial|job|first|last|full|middle|given|family|name|names|vorname|nachname|nom
        |prenom|nombre|apellido|apellidos|nome|cognome|sobrenome|voornaam|achternaam|imie|nazwisko|city
        |town|stadt|ort|ville|ciudad|citta|cidade|plaats|miasto|street|address|strasse|rue|calle|country
        |land|pays|pais|company|firma|organization|organisation|business|empresa|societe|azienda|bedrijf
        |title|username|login|website|source|sources|origin|utm|campaign|medium|referrer|landing|quelle
        |herkunft"""
    )
)
"""Headers of names, places and sales: a SHORT word there is a name, or said of a sale."""

STATUS_ALONE = frozenset(
    phrases("status|statut|statuss|статус|stav|durum|allapot|ステータス|状态|状態|κατασταση")
)
STATUS = STATUS_ALONE | frozenset(("estado", "stato", "situacao", "zustand", "etat", "state", "stan"))
OF_A_STATUS = frozenset(
    phrases(
        """email|e|mail|emails|mailing|subscription|subscriptions|subscriber|subscribers|subscribe|opt|in
        |optin|consent|permission|permissions|marketing|newsletter|list|lists|contact|contacts|global
        |audience|deliverability|delivery|current|person|of|di|de|del|der|des|da|do|la|du|kontakt|kontakte
        |abo|abonnement|abonnenten|einwilligung|suscripcion|suscriptor|contacto|correo|iscrizione
        |contatto|iscritto|inscricao|assinatura|contato|contacto|inscription|inscrit|nieuwsbrief|abonnee
        |inschrijving|subskrypcji|subskrypcja|zgody|kontaktu|activity|member|mailchimp|gdpr|dsgvo|rgpd
        |avg|rodo"""
    )
)
ABOUT_MAIL = """email*|mail*|newsletter*|news|marketing|promo*|offers|updates|updated|touch|bulk
        |reclame|reklam*
        |werb*|publicit*|pubblicit*|publicid*|offres|ofertas|offerte|aanbiedingen|novedades|novidades
        |novita
        |posted|hear from|informed|notifications
        |nouvelles|contact frequency|contact us|contact you|contact me"""
"""Headers with one of these are about mail, unless it is somebody's address, or what was done with a mail."""
NO_CONSENT = frozenset(
    phrases(
        """address|addresses|adresse|work|home|private|privat|personal|secondary|second|other|alternate
        |alternative|backup|business|billing|invoice|school|parent|2|3|sent|opened|open|opens|clicked
        |replied
        |delivered|read|has|answered|received|last|first|domain|provider|client|owner|campaign|manager
        |team
        |department|budget|source|lead"""
    )
)
EXPLICIT_NO = frozenset(
    phrases(
        """no|n|false|f|off|nein|non|nee|neen|nie|nao|ne|nej|nei|falsch|faux|falso|onwaar|never|nope|nah|ei
        |nem|hayir|нет|否|nu"""
    )
)
POSITIVE = """doi|reachable|bulk email*|confirmed|email confirmed|email verified|deliverable|zustellbar
        |delivrable|receives|emailable
        |can be *mail*|can be contact*|may be contact*|may be *mail*|may contact|may email|may mail
        |darf kontakt*|darf *schrieben werden|darf *mail*|peut etre contact*|puede ser contact*
        |pode ser contact*|pode ser contat*|puo essere contatt*|mag gemaild*|mag benaderd*|mag contact*
        |mozna kontakt*|email preference*|mail preference*|mailing preference*|communication preference*
        |marketing preference*|contact preference*|subscribed|is subscribed|subscrib*|opt in*|opted in*
        |consent*|permission*|accept* marketing
        |accept* email*|accepts e mail*|accept* newsletter*|newsletter*|marketing consent
        |marketing permission*|marketing allowed|marketing ok|allow* email*|allow* e mail*
        |allow* marketing|allow* contact*|can email|can e mail|can contact|can market|ok to email
        |ok to mail|ok to contact|okay to email|email allowed|email enabled|email ok|email valid
        |valid email|email active|mail enabled|mail allowed|receive* email*|receive* e mail*
        |receive* newsletter*|receive* marketing|receive* news|wants email*|wants newsletter*
        |wants marketing|mail ok|contact ok|mailing|mailing list|on mailing list|on the list
        |list member*|email notification*
        |send* email*|send* newsletter*|email subscription*|subscription|want* news*|agree*|gdpr
        |mailable|marketable|contactable|emailable
        |email marketing|marketing emails|einwilligung*|zustimmung*|einverstand*|zugestimmt|angemeldet
        |abonniert|abonnent|werbung erlaubt|werbeeinwilligung|kontakt erlaubt|mailing erlaubt|werbung
        |dsgvo|abonne*|inscrit*|accepte*|accord|infolettre|rgpd|suscrit*|suscript*|acepta*|boletin
        |autoriza*|quiere recibir*|iscritt*|abbonat*|accetta*|autorizza*|consenso*|assinante|aceita*
        |toestemming*
        |ingeschreven|aangemeld|geabonneerd|nieuwsbrief*|akkoord|abonnee|zgod*|subskryb*|zapisan*|biuletyn
        |rodo|購読
        |メルマガ*|同意*|订阅|nyhetsbrev*|nyhedsbrev*|samtycke*|samtykke*|souhlas*|uutiskirje*|suostumus*
        |hirlevel*|hozzajarul*|abone|onay|*izni|izin|*posta izin
        |pristanak*|privola*|suglasnost*|consimtamant*|メール配信
        |согласие*|рассылка|подписан|подписка"""
NEGATIVE = """email disabled|mail disabled|marketing disabled|disable email*|disable mail*|invalid*|spam
        |bounce*|blacklist*|excluded from*|exclude from*|never email|never mail|never contact|opt outs
        |block email*|unsub*|exclude|clean time|do not bulk email|do not process|should forget|dnc
        |*quarantin*|*sperre|sperr*|blokkade*|blocco email|blocco mail
        |blocco marketing|abmelde*|abbestell*|erasure request*|deletion request*
        |removal request*|remove from*|delete from*|right to be forgotten|baja|desubscri*|fbl|feedback loop*
        |opt in pending|pending opt in|pending confirmation|confirmation pending|awaiting confirmation
        |unconfirmed|not confirmed|unverified|zustellfehler*|delivery fail*|delivery error*|non deliver*
        |*mail error*
        |erreur de distribution|*mail en erreur|*mail fehler*|correo erroneo|email errata
        |reason for leaving|leaving reason"""
CANCELLATION = """cancellazion*|cancelamento*|cancelacion*|rezygnacj*"""
"""Of a subscription where nothing says that it is of something else; a date or a reason is an opting out."""
LAWS = frozenset(("gdpr", "dsgvo", "rgpd", "avg", "rodo", "lgpd", "ccpa"))
ERASED = """delet*|eras*|forg*|anonymi*|geloscht|geloescht|losch*|loesch*|efface*|supprim*|eliminad*
        |borrad*
        |cancellat*|excluid*|apagad*|verwijder*|usunie*"""
"""Beside a law of privacy, in a header: that somebody asked for it."""
RECEIVES = """receiv*|recib*|receb*|ricev*|ontvang*|otrzym*|erhalt*|bekommt|recoit|recevoir"""
RECEIVED = """*mail*|newsletter*|correo*|boletin*|nieuwsbrief*|biuletyn*|publicid*|pubblicit*|publicit*
        |infolettre*|lettre*|courriel*|noticias|news|offers|offres|ofertas|offerte|aanbiedingen|werbung
        |reclame
        |magazin*|bulletin*|rundbrief*"""
"""Headers with a word of both say who gets mail."""
COUNTS = frozenset(("count", "counts", "number", "num", "total", "anzahl", "nombre", "numero", "aantal"))
ACTIVE = frozenset(("active", "aktiv", "actif", "activo", "attivo", "ativo", "actief", "aktywny"))
UNMISTAKABLE = """unsub*|un subscrib*|opt out*|opted out|opts out|do not *|don t *|dont *|abgemeldet*
        |abmeldung*|desabonn*|desinscri*|desuscri*|de suscri*|dado de baja|dada de baja|darse de baja
        |disiscri*|descadastr*|afgemeld*|uitgeschreven|uitschrij*|wypisan*|wypisal*|配信停止*|購読解除*
        |отписал*|отписан*|odhlas*"""
"""Beginnings of CLEAR phrases that say it all, however much comes behind them, and in whatever column."""
BEFORE = """email|e mail|hard|has|is|was|permanently|manually|globally|global|list|contact|user"""
"""Words that may stand before a phrase."""
ACCENTS = {
    "a": "áàâäãåą",
    "c": "çćč",
    "e": "éèêëę",
    "i": "íìîï",
    "n": "ñń",
    "o": "óòôöõø",
    "s": "śš",
    "u": "úùûü",
    "y": "ý",
    "z": "źżž",
    "l": "ł",
}
"""What `folded` makes of letters, for a search in text that is not folded."""
YES_OR_NO = frozenset(
    phrases("""subscription|subscriptions|subscriber|subscribe|marketing|newsletter|suscripcion
        |iscrizione|inscricao
        |assinatura|abonnement|abo|inscription|inschrijving|subskrypcji|subskrypcja""")
)
"""A status of one of these may be a yes or a no."""
NEGATORS = frozenset(
    phrases("not|no|nicht|nein|non|nie|niet|nee|nao|pas|kein|keine|ohne|without|sin|senza|sem|bez|brak")
)
BEHIND = frozenset(("at", "on", "by"))
"""The same, where a header ends so."""
WHEN = frozenset(("date", "time", "timestamp", "datetime", "at", "on"))
NAMES = frozenset(
    phrases("""tags|tag|labels|label|segments|segment|groups|group|lists|list|audiences|schlagworte
        |etiquettes
        |etiquetas|etichette|etykiety|interests|categories|contact tags|member tags|list names""")
)
"""Headers of columns with several names in a cell."""
LITTLE_WORDS = frozenset(phrases("of|de|del|der|des|da|do|la|du|current|e"))
STATUS_ONLY = """no longer *|left list|left the list|left our list|left company|left the company
        |feedback loop|fbl
        |mailbox *|lapsed subscriber|opt in expired|hat * verlassen|a quitte *|n est plus *|ya no *
        |non e piu *|nao e mais *|niet meer *|juz nie *|nicht mehr *|ne plus *|ne * plus"""
"""Under a status they are said of mail, elsewhere of anything."""
UNKNOWN = frozenset(
    phrases("""none|null|na|n a|nil|nan|not set|unset|undefined|unknown|unbekannt|inconnu|desconocido
        |sconosciuto""")
)
"""A cell with one of these says nothing."""
