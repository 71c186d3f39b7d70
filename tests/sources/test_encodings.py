"""The encoding of a text is found by its words, or asked for; it is never wrong in silence.

A table of texts times encodings. None of these people, towns and firms was counted for `letter_pairs.txt` on
purpose; most are common names all the same.
"""

import random
from collections import Counter
from pathlib import Path

import pytest
from babel import localedata

from connectors.sources.files.encoding import UnclearEncodingError, encoding_of
from tests.conftest import Project

LATIN_1 = "cp1252 iso8859-15 mac-roman cp850 cp437 utf-8 utf-16-le"
TEXTS = {
    "German list": ("Jürgen Vögele; Käthe Groß; Bärbel Süß; Jörn Kühn; Ömer Öztürk", LATIN_1),
    "German street": ("Königsstraße 5; Münchner Straße 12; Am Mühlgässle 3", LATIN_1),
    "French list": ("Chloé Lefèvre; Benoît Gérard; Anaïs Fontaine; Françoise Dubé; Maëlle Léger", LATIN_1),
    "French towns": ("Besançon; Nîmes; Saint-Étienne; Angoulême; Béziers", "cp1252 mac-roman cp850"),
    "Spanish list": (
        "Begoña Peña; José Ibáñez; María Núñez; Adrián Muñoz; Íñigo Gómez",
        "cp1252 mac-roman cp850",
    ),
    "Portuguese list": (
        "João Simões; Conceição Gonçalves; Inês Falcão; Luís Brandão",
        "cp1252 mac-roman cp860",
    ),
    "Italian list": ("Niccolò; Mondovì; città; perché; società", "cp1252 mac-roman cp850"),
    "Dutch list": ("Daniël Coëlho; Zoë de Vries; Renée Thoen; Joël Smit", "cp1252 cp850"),
    "Swedish list": ("Åsa Sjöberg; Göran Nyström; Märta Åkesson; Örjan Bäck", LATIN_1),
    "Danish list": ("Søren Jørgensen; Bjørn Ødegård; Åse Kjær; Næstved", "cp1252 mac-roman cp865 cp850"),
    "Finnish list": ("Hämäläinen; Yrjö Mäkinen; Väinö Pöysti; Työppönen", "cp1252 mac-roman cp850"),
    "Icelandic list": ("Guðrún Þórðardóttir; Sigurður Ægisson; Björk Jónsdóttir", "cp1252 mac-iceland cp861"),
    "English list": ("Siân O’Brien; Renée Café; Chloë Brontë; Zoë", "cp1252 mac-roman"),
    "Estonian list": ("Õnne Pärn; Jüri Mägi; Tõnu Kõiv; Ülle Sööt", "cp1252 iso8859-15"),
    "Polish list": (
        "Łukasz Wąsik; Małgorzata Święch; Grażyna Żak; Michał Gołąb",
        "cp1250 iso8859-2 cp852 mac-latin2",
    ),
    "Czech list": (
        "Jiří Dvořák; Růžena Černá; Štěpán Žižka; Zdeňka Nováková",
        "cp1250 iso8859-2 cp852 mac-latin2",
    ),
    "Slovak list": (
        "Ľubomír Kováč; Ľudmila Šťastná; Ďuro Hraško; Anežka Mäsiarová",
        "cp1250 iso8859-2 cp852",
    ),
    "Hungarian list": ("Győző Szűcs; Erzsébet Őry; Jenő Kőszegi; Ödön Füredi", "cp1250 iso8859-2 cp852"),
    "Croatian list": (
        "Željko Šimić; Đurđica Čačić; Hrvoje Vuković; Krešimir Ćosić",
        "cp1250 iso8859-2 mac-croatian",
    ),
    "Slovene list": ("Žiga Črnčec; Špela Božič; Uroš Kovačič; Anže Šuštar", "cp1250 iso8859-2"),
    "Romanian list": ("Ştefan Ioniţă; Mădălina Bălan; Cătălin Crăciun; Răzvan Ţurcanu", "cp1250 iso8859-2"),
    "Turkish list": (
        "Şule Yıldız; Oğuz Çağlar; İbrahim Gülçin; Işıl Şahin",
        "cp1254 cp857 mac-turkish iso8859-9",
    ),
    "Lithuanian list": (
        "Žydrūnė Jankauskienė; Ąžuolas; Šarūnas Petrauskas; Jūratė",
        "cp1257 iso8859-13 cp775",
    ),
    "Latvian list": ("Jānis Bērziņš; Ģirts Kalniņš; Līga Ķēniņa; Māris Šķēle", "cp1257 iso8859-13 cp775"),
    "Russian list": (
        "Сергей; Наталья Юрьевна; Анна Щукина; Ярослав; Фёдор",
        "cp1251 koi8-r cp866 mac-cyrillic iso8859-5",
    ),
    "Ukrainian list": (
        "Олександр; Юлія Ткаченко; Євген; Їжак; Соломія",
        "cp1251 koi8-u mac-cyrillic iso8859-5 cp1125",
    ),
    "Bulgarian list": ("Георги Димитров; Цветелина; Желязко; Щерев; Йорданка", "cp1251 cp866 iso8859-5"),
    "Serbian list": ("Љубиша Ђорђевић; Његош; Ћирић; Драгољуб; Зорица", "cp1251 iso8859-5 cp855"),
    "Greek list": (
        "Νίκος Παπαδόπουλος; Αθηνά; Κωνσταντίνος; Ελένη Γεωργίου",
        "cp1253 iso8859-7 cp737 mac-greek",
    ),
    "Hebrew list": ("יוסף כהן; מרים לוי; חנה; אברהם", "cp1255 iso8859-8 cp862"),
    "Arabic list": ("أحمد; خديجة; محمد علي; فاطمة; عبد الله", "cp1256 iso8859-6 cp720"),
    "Thai list": ("สมชาย; ประยุทธ์; วันเพ็ญ; สุรชัย", "cp874"),
    "Chinese list": ("张伟; 王秀英; 李静; 刘洋; 陈杰", "gb18030 hz utf-16-le"),
    "Taiwanese list": ("陳怡君; 林志明; 黃淑芬; 王建國", "big5"),
    "Japanese list": ("佐藤 健; 高橋 ゆうこ; 渡辺 サトシ; 伊藤", "cp932 euc_jp iso2022_jp"),
    "Korean list": ("김철수; 이영희; 박지영; 최민수", "cp949 iso2022_kr"),
    "one French town": ("Besançon", "cp1252"),
    "one Belgian town": ("Liège", "cp1252"),
    "one German": ("Jürgen", "cp1252"),
    "one German town": ("Düsseldorf", "cp1252"),
    "one Dane": ("Søren", "cp1252"),
    "one Swede": ("Åkerström", "cp1252"),
    "one Russian": ("Анна", "cp1251 mac-cyrillic"),
    "one Pole": ("Małgorzata", "cp1250 iso8859-2"),
    "one Greek": ("Γιώργος", "cp1253"),
    "a price": ("20 € a month; £ 5", "cp1252"),
    "an Irishman": ("Shane O’Neil; D’Angelo", "cp1252"),
    "a quotation": ("Dwayne “Rock” Smith – 5 °C …", "cp1252"),
    "a trade mark": ("Acme™; Café®", "cp1252"),
}
ASKED = {
    "one Spaniard": ("Begoña", "cp1252"),
    "one Spaniard of a Mac": ("Peña", "mac-roman"),
    "a name of three letters": ("Žan", "cp1252"),
    "one Slovene in DOS": ("Tjaša", "cp852"),
    "one Latvian": ("Sņega", "iso8859-13"),
    "one Japanese": ("臼杵", "euc_jp"),
    "one Pole of odd letters": ("Żółć", "cp1250"),
    "one Italian town in DOS": ("Cantù", "cp850"),
    "one Welshwoman": ("Ŵyn", "iso8859-14"),
    "one Turk": ("Çağrı", "cp1254"),
    "one Turk in DOS": ("Gökçe", "cp857"),
    "one German in DOS": ("Jürgen", "cp850"),
    "one German town of a Mac": ("Düsseldorf", "mac-roman"),
    "one Dane in DOS": ("Søren", "cp865"),
    "one Russian of Unix": ("Анна", "koi8-r"),
    "one Bulgarian of a Mac": ("Яна", "mac-cyrillic"),
    "one Arab": ("سعد", "iso8859-6"),
    "UTF-7": ("José; Zoë Müller", "utf-7"),
    "one word in UTF-7": ("André", "utf-7"),
    "Russian in UTF-7": ("Анна", "utf-7"),
}
WEST, CENTRE, BALTIC = "cp1252 iso8859-15 mac-roman cp850", "cp1250 iso8859-2 cp852", "cp1257 iso8859-13"
CYRILLIC = "cp1251 koi8-r cp866 mac-cyrillic iso8859-5"
LANGUAGES = {
    **dict.fromkeys(["de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "fi"], WEST),
    **dict.fromkeys(["pl", "cs", "sk", "hu", "hr", "sl", "ro"], CENTRE),
    **dict.fromkeys(["lt", "lv"], BALTIC),
    **dict.fromkeys(["ru", "bg"], CYRILLIC),
    "uk": "cp1251 koi8-u",
    "sr": "cp1251 cp855",
    "tr": "cp1254 cp857 mac-turkish",
    "is": "cp1252 mac-iceland",
    "el": "cp1253 iso8859-7 mac-greek",
    "he": "cp1255 cp862",
    "ar": "cp1256 iso8859-6 cp720",
    "th": "cp874",
    "zh": "gb18030",
    "zh_Hant": "big5",
    "ja": "cp932 euc_jp",
    "ko": "cp949",
}
READ = [(name, text, page) for name, (text, pages) in TEXTS.items() for page in pages.split()]


def csv_of(text: str) -> str:
    rows = [f"p{place}@example.org;{cell.strip()}\n" for place, cell in enumerate(text.split(";"))]
    return "Email;First Name\n" + "".join(rows)


def read(folder: Path, text: str, page: str) -> str | None:
    """The text as it is read, None if the encoding is asked for."""
    (folder / "c.csv").write_bytes(csv_of(text).encode(page))
    try:
        return (folder / "c.csv").read_bytes().decode(encoding_of(folder / "c.csv", None, "a CSV file").name)
    except UnclearEncodingError:
        return None


def test_the_table_is_long() -> None:
    assert len(READ) + len(ASKED) >= 150


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_read_in_the_encoding_it_was_written_in(name: str, tmp_path: Path) -> None:
    text, pages = TEXTS[name]
    expected = dict.fromkeys(pages.split(), csv_of(text))
    assert {page: read(tmp_path, text, page) for page in expected} == expected


@pytest.mark.parametrize("name", ASKED)
def test_an_encoding_that_the_words_do_not_tell_is_asked_for(name: str, tmp_path: Path) -> None:
    text, page = ASKED[name]
    (tmp_path / "c.csv").write_bytes(csv_of(text).encode(page))
    with pytest.raises(UnclearEncodingError, match="Set `encoding:`") as asked:
        encoding_of(tmp_path / "c.csv", None, "a CSV file")
    assert not any(word in str(asked.value) for word in text.split()), "words of the file in a message"


@pytest.mark.parametrize("words", [2, 6])
def test_cities_of_the_world_are_never_wrong_in_silence_and_seldom_asked_for(
    words: int, tmp_path: Path
) -> None:
    outcomes: Counter[str] = Counter()
    wrong = []
    for language, pages in LANGUAGES.items():
        chosen = random.Random(language + str(words))
        cities = cities_in(language)
        for page in pages.split():
            cells = [city for city in chosen.sample(cities, 3 * words) if is_in(city, page)][:words]
            text = "; ".join(cells)
            found = read(tmp_path, text, page)
            outcomes["asked" if found is None else "read"] += 1
            if found not in (None, csv_of(text)) and alike(found) != alike(csv_of(text)):
                wrong.append((language, page, text, found))
    assert not wrong
    assert outcomes["asked"] <= (0.1 if words == 2 else 0.04) * outcomes.total()


def cities_in(language: str) -> list[str]:
    """Names of cities beyond ASCII, none of which was counted for the table of letters."""
    zones = localedata.load(language)["time_zones"].values()
    return sorted({city for zone in zones if (city := zone.get("city")) and not city.isascii()})


def is_in(text: str, page: str) -> bool:
    try:
        return text.encode(page).decode(page) == text
    except UnicodeEncodeError:
        return False


def alike(text: str) -> str:
    """Without the difference of a cedilla and a comma, which pages of Romania have one of."""
    return text.translate(str.maketrans("șțȘȚ", "şţŞŢ"))


def test_addresses_and_telephone_numbers_are_no_utf_7(tmp_path: Path) -> None:
    text = "ann+news-2@example.org; +49-170-1; Ann+Bob-Carl; +180-55; C+++-; a+b-c"
    assert read(tmp_path, text, "ascii") == csv_of(text)


def test_a_word_of_a_mac_that_is_utf_8_by_chance_is_asked_for(tmp_path: Path) -> None:
    for text, page in (("Jiří", "mac-latin2"), ("Þór", "mac-iceland")):
        assert read(tmp_path, text, page) is None
    for text in ("Ann Зоя", "Ωmega", "Δt", "αBeta", "Aнна", "Лeна", "Ann李", "iPhoneя", "Jiří"):
        assert read(tmp_path, text, "utf-8") == csv_of(text)


def test_a_text_whose_last_word_alone_tells_the_page_is_read_by_it(tmp_path: Path) -> None:
    text = "; ".join(["Jürgen", "Käthe", *(f"Grün{place}" for place in range(700)), "Œuvre", "Preis 5 €"])
    assert read(tmp_path, text, "iso8859-15") == csv_of(text)


def test_who_asks_is_shown_the_words_in_each_encoding_and_a_run_says_none(project: Project) -> None:
    (project.folder / "c.csv").write_bytes(csv_of("Peña").encode("mac-roman"))
    project.environ |= dict.fromkeys(("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"), "x")
    project.environ["KARTRA_URL"] = "http://127.0.0.1:1"
    project.pipeline("source: {csv: c.csv}\nkey: email\nfields: {email: Email}\nconsent: {attested: x}")
    for words in (("check", "p.yaml"), ("inspect", "c.csv")):
        told = project.command(*words)
        assert told.code == 1
        assert "as mac-roman: Peña" in told.stdout + told.stderr
        assert "as cp852: Peľa" in told.stdout + told.stderr
    run = project.run()
    assert (run.code, "Set `encoding:`" in run.stderr, "Pe" in run.stdout + run.stderr) == (1, True, False)
