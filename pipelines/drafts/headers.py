"""What the names of columns commonly mean, in the exports of platforms and in several languages. Pure.

They are compared by `key_of`. In the tables here a bar stands between two names.
"""

import re

from pipelines.words.folding import folded


def key_of(name: str) -> str:
    """A name without case, accents and all that stands between words: FIRST_NAME and Firstname are one."""
    return folded(name).replace(" ", "")


_GROUP = re.compile(r"^(?:person|kontakt|contact) - ", re.IGNORECASE)
"""Before the name of a column in Pipedrive and its like."""


def keys_of(name: str) -> tuple[str, ...]:
    """The keys under which a column may be known: its whole name first."""
    return tuple(dict.fromkeys((key_of(name), key_of(_GROUP.sub("", name)))))


def _names(table: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key_of(name) for name in table.split("|") if name.strip()))


FIELD_NAMES: dict[str, tuple[str, ...]] = {
    "email": _names(
        """email|email address|e-mail|e-mail address|mail|mail address|email (email)|primary email|lead_email
        |attendee email|user_email|email 1|e-mail 1 - value|person - email|person - email - work
        |contact email|customer email|correo|correo electrónico|adresse e-mail|adresse email
        |courriel|e-mail-adresse|emailadresse|mailadresse|adresse électronique|indirizzo email
        |メール|メールアドレス|e-mail adres|e-mailadres|emailadres|endereço de e-mail|adres e-mail|e-post
        |courrier électronique|correo del cliente|e-mail arbeit|e-mail privat|e-mail work|e-mail home
        |buyer_email|billing email"""
    ),
    "first_name": _names(
        """first name|firstname|fname|given name|forename|buyer_first_name|attendee first name
        |person - first name|first name (name)|lead_first_name|billing_first_name|vorname|prénom|nombre|nome
        |voornaam|imię|förnamn|fornavn|nombres|nome di battesimo|primeiro nome"""
    ),
    "middle_name": _names(
        """middle name|middlename|additional name|second name|zweiter vorname|weitere vornamen|deuxième prénom
        |segundo nombre|secondo nome|tussenvoegsel|drugie imię"""
    ),
    "last_name": _names(
        """last name|lastname|lname|surname|family name|attendee surname|attendee last name|person - last name
        |buyer_last_name|lead_last_name|billing_last_name|nachname|familienname|nom|nom de famille|apellido
        |apellidos|cognome|sobrenome|achternaam|nazwisko|efternamn|etternavn"""
    ),
    "phone": _names(
        """phone|phone number|phone number (phone_number)|mobile phone|mobile phone number|sms|telephone
        |buyer_phone|lead_phone|billing_phone|phone 1 - value|person - phone|person - phone - work|home phone
        |default address phone|mobilephone|cell|cell phone|telefon|telefonnummer|téléphone|teléfono|mobile
        |telefono|telefone|telefoon|mobiel|handy|handynummer|mobilnummer|mobiltelefon|telefon mobil
        |numéro de téléphone|téléphone portable|téléphone mobile|portable|cellulare|numero di telefono
        |celular|móvil|teléfono móvil|número de teléfono|número de telefone|telemóvel|telefoonnummer
        |mobiel nummer|numer telefonu|komórka|telefon komórkowy"""
    ),
    "phone_country_code": _names("phone_country_code|buyer_phone_country"),
    "company": _names(
        """company|company name|business name|organization|organisation|associated company|buyer_company
        |account name|organization name|organization 1 - name|person - organization|default address company
        |billing_company|firma|unternehmen|société|entreprise|empresa|azienda|bedrijf"""
    ),
    "address": _names(
        """address|street|street address|address (address_line_1)|address line 1|address1|buyer_address
        |mailing street|home street|home address 1|address 1 - street|default address address1
        |billing_address_1|strasse|straße|adresse|dirección|indirizzo|endereço|adres|rue"""
    ),
    "zip": _names(
        """zip|zip code|postal code|postcode|zip code (address_zip)|buyer_zip|mailing zip
        |mailing zip/postal code|mailing postal code|home postal code|home zip|address 1 - postal code
        |default address zip|billing_postcode|plz|postleitzahl|code postal|código postal|cap|cep
        |codice postale|kod pocztowy
        |postleitzahl geschäftlich|postleitzahl privat"""
    ),
    "city": _names(
        """city|town|city (address_city)|buyer_city|mailing city|home city|address 1 - city
        |default address city|billing_city|ort|stadt|wohnort|ville|ciudad|città|cidade|plaats|woonplaats
        |miasto|miejscowość|ort geschäftlich|ort privat"""
    ),
    "state": _names(
        """state|region|province|state (address_state)|state/region|buyer_state|mailing state
        |mailing state/province|home state|address 1 - region|default address province code|province code
        |billing_state|bundesland|provincia|województwo|provincie"""
    ),
    "country": _names(
        """country|country/region|country (address_country)|country code|buyer_country|mailing country
        |home country/region|home country|address 1 - country|default address country code|billing_country
        |land|pays|país|paese|kraj|land/region geschäftlich|land/region privat"""
    ),
    "website": _names("website|website url|web site|homepage|web page|website 1 - value|user_url|sitio web"),
    "facebook": _names("facebook"),
    "twitter": _names("twitter"),
    "linkedin": _names("linkedin|linkedin url"),
    "lead_preferred_time_zone": _names(
        "time zone|timezone|lead_preferred_time_zone|zeitzone|fuseau horaire|zona horaria|huso horario"
    ),
}
"""Field of a lead: names of columns that mean it. Of addresses, those of the people themselves come before
those of whoever paid."""

NAME_NAMES = _names(
    """name|full name|contact name|buyer_name|attendee name|person - name|customer name|display name
    |nom complet|nombre completo|nome completo|vollständiger name|naam"""
)
"""Columns of a full name, where no other has its parts."""
TAG_NAMES = _names(
    "tags|tag|labels|label|segments|groups|categories|person - label|person - label(s)|group membership"
)
STATUS_NAMES = _names("status|email status|e-mail status|subscription status|subscriber status")
CONSENT_NAMES = _names(
    """opt-in|opted in|optin|consent|marketing consent|gdpr consent|subscribed|accepts marketing
    |accepts email marketing|email opt-in|email consent|newsletter|einwilligung|zustimmung|consentement
    |consentimiento|consenso|toestemming|zgoda"""
)
ABOUT_CONSENT = re.compile(
    r"\b(?:newsletters?|e ?mails?|mailing|marketing|opt in|optin|subscri\w*|subskr\w*|abonn\w*|inscri\w*"
    r"|suscri\w*|iscri\w*|consen\w*|einwillig\w*|zustimm\w*|toestemm\w*|zgod\w*)\b"
)
"""Of names, folded, of columns that are about mail: `Terms accepted` is consent to something else."""
OTHERS = re.compile(
    r"\b(refer\w*|recommend\w*|owner|manager|assistant|agent|sales rep\w*|account exec\w*|created by"
    r"|modified by|updated by|added by|parent|guardian|mother|father|spouse|partner|emergency|friend|sender"
    r"|affiliate"
    r"|empfohlen|geworben|werber|betreuer\w*|besitzer|ansprechpartner|vertreter|eltern|notfall|angelegt von"
    r"|parraine\w*|parrain|recommande|referido|recomendado|invitado)\b"
)
"""Of names, folded, of columns that are about somebody else than the person of the row."""
YES = ("yes", "true", "1", "y", "ja", "oui", "sí", "si")
"""What a column of consent says of people who gave it."""
SUBSCRIBED = ("subscribed", "active", "confirmed", "opted in", "opted-in")
"""What a column of a status says of people who may be mailed."""
