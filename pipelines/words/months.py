"""Months in the languages of the exports and some more, by their folded names and abbreviations. Pure.

From Unicode's CLDR; no name stands for two months. Written down, because loading the library costs more than
reading a file of dates.
"""

import re

from pipelines.words.folding import folded
from pipelines.words.opting_out import phrases

_NAMES = {
    1: """ene|enero|gen|gennaio|ian|ianuarie|jaenner|jan|janeiro|janner|januar|januara|januari
        |january|janv|janvier|led|leden|ledna|oca|ocak|sty|styczen|stycznia|tammi|tammikuu
        |tammikuuta|янв|январь|января""",
    2: """feb|febbraio|febr|febrero|februar|februara|februari|februarie|february|fev|fevereiro|fevr
        |fevrier|helmi|helmikuu|helmikuuta|lut|lutego|luty|sub|subat|uno|unor|unora|фев|февр|февраль
        |февраля""",
    3: """bre|brezen|brezna|maalis|maaliskuu|maaliskuuta|maart|mae|maerz|mar|marc|marca|march
        |marcius|marco|marec|mars|mart|martie|marts|marz|marzec|marzo|mrt|mrz|мар|март|марта""",
    4: """abr|abril|apr|april|aprila|aprile|aprilie|aprilis|avr|avril|dub|duben|dubna|huhti|huhtikuu
        |huhtikuuta|kwi|kwiecien|kwietnia|nis|nisan|апр|апрель|апреля""",
    5: """kve|kveten|kvetna|mag|maggio|mai|maio|maj|maja|majus|may|mayis|mayo|mei|touko|toukokuu
        |toukokuuta|маи|мая""",
    6: """cerven|cervna|cvn|cze|czerwca|czerwiec|giu|giugno|haz|haziran|iun|iunie|juin|jun|juna|june
        |junho|juni|junio|junius|kesa|kesakuu|kesakuuta|июн|июнь|июня""",
    7: """cervence|cervenec|cvc|heina|heinakuu|heinakuuta|iul|iulie|juil|juillet|jul|jula|julho|juli
        |julio|julius|july|lip|lipca|lipiec|lug|luglio|tem|temmuz|июл|июль|июля""",
    8: """ago|agosto|agu|agustos|aout|aug|august|augusta|augusti|augustus|augusztus|elo|elokuu
        |elokuuta|sie|sierpien|sierpnia|srp|srpen|srpna|авг|август|августа""",
    9: """eyl|eylul|sep|sept|september|septembra|septembre|septembrie|septiembre|set|setembro
        |settembre|syys|syyskuu|syyskuuta|szept|szeptember|wrz|wrzesien|wrzesnia|zar|zari|сен|сент
        |сентябрь|сентября""",
    10: """eki|ekim|loka|lokakuu|lokakuuta|oct|october|octobre|octombrie|octubre|okt|oktober|oktobra
        |ott|ottobre|out|outubro|paz|pazdziernik|pazdziernika|rij|rijen|rijna|окт|октябрь|октября""",
    11: """kas|kasim|lis|listopad|listopada|listopadu|marras|marraskuu|marraskuuta|noiembrie|nov
        |november|novembra|novembre|novembro|noviembre|ноя|нояб|ноябрь|ноября""",
    12: """ara|aralik|dec|december|decembra|decembre|decembrie|des|desember|dez|dezember|dezembro
        |dic|dicembre|diciembre|gru|grudnia|grudzien|joulu|joulukuu|joulukuuta|pro|prosince|prosinec
        |дек|декабрь|декабря""",
}
MONTHS = {name: number for number, names in _NAMES.items() for name in phrases(names)}
_IN_WORDS = re.compile(
    r"(\d{1,2})(?:\.|er|re|\u00ba|\u00b0)?\s*(?:de\s+|den\s+|di\s+|d['\u2019])?([^\W\d_]+)\.?,?\s*(?:de\s+|del\s+|di\s+)?(\d{4})(?!\d)",
    re.IGNORECASE,
)
_IN_SIGNS = re.compile(r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]")


def with_numbers(text: str) -> str:
    """`15. März 2024 10:00` and `2024年3月15日` as 2024-03-15; any other text as it is."""
    if signs := _IN_SIGNS.match(text):
        return _iso(*signs.groups()) + text[signs.end() :]
    if words := _IN_WORDS.match(text):
        day, month, year = words.groups()
        if number := MONTHS.get(folded(month)):
            return _iso(year, str(number), day) + text[words.end() :]
    return text


def _iso(year: str, month: str, day: str) -> str:
    return f"{int(year):04}-{int(month):02}-{int(day):02}"
