"""Makes delimited files of known truth: as exporters write them, and polluted as real ones are.

``make(seed)`` gives some 330 files. The kinds are those of Pollock (Vitagliano and others, PVLDB 16, 2023: its parameters
of files and of rows, on a table of our own), of DuckDB's tests (delimiters, quotes, escapes, comments, empty lines), and
those that public reports are about: preambles, trailers, odd delimiters, backslashes, tables without a header.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Cell = str | None


@dataclass(frozen=True, slots=True)
class Truth:
    """What a file is. ``clear``: nothing in it speaks for another answer."""

    delimiter: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    header: bool = True
    encoding: str = "utf-8"
    skip_lines: int = 0
    skip_trailer: int = 0
    clear: bool = True


@dataclass(frozen=True, slots=True)
class Export:
    """One file: its kind and name, its bytes, and what it is."""

    kind: str
    name: str
    data: bytes
    truth: Truth


@dataclass(frozen=True, slots=True)
class Style:
    """How a table is written down."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    end: str = "\r\n"
    quote_all: bool = False
    null: str = ""
    header: bool = True
    space: bool = False


WORDS = {
    "en": "river stone market window garden silver morning engine paper harbour yellow valley bridge winter copper".split(),
    "de": "Straße Größe Übung Bäcker Müller Köln München Hörsaal Fähre schön Käse Öl Jäger Böschung".split(),
    "fr": "élève forêt garçon hôtel crème août noël été français château évêque pièce déjà".split(),
    "es": "niño año camión España corazón árbol mañana pingüino jardín último señal".split(),
    "pl": "żółć książka Łódź święty mąż pięć źródło dąb gęś wąż".split(),
    "ru": "город улица книга товар цена Москва заказ имя дата сумма".split(),
    "el": "όνομα πόλη τιμή Αθήνα ημέρα δρόμος βιβλίο".split(),
    "tr": "şehir güneş İzmir çocuk ağaç ışık öğretmen yağmur".split(),
    "ja": "東京 大阪 商品 価格 株式会社 名前 カメラ 日本語 山田".split(),
    "zh": "北京 上海 公司 名称 地址 日期 数量 价格".split(),
    "ko": "서울 부산 회사 이름 주소 날짜 가격".split(),
}
FIRST = "Anna Boris Chloe David Elena Farid Greta Hugo Ines Jonas Katya Liam Maria Nils Olga Pablo Rosa Sven Tara Umar".split()
LAST = "Ahlers Brandt Costa Dubois Eriksen Fischer Garcia Haddad Ivanov Jensen Kowalski Lopez Meyer Novak Okafor Park".split()
CITIES = "Lisbon Oslo Vienna Porto Ghent Turin Lyon Basel Malmo Cork Graz Brno Bergen Utrecht Leipzig Valencia".split()
STATUS = "open closed pending shipped returned cancelled".split()
CODES = "DE FR ES IT NL PT AT BE SE NO".split()


class Table:
    """Columns of random values, by the kinds' names."""

    def __init__(self, rng: random.Random, lang: str = "en") -> None:
        self.rng, self.words = rng, WORDS[lang]

    def text(self, low: int = 1, high: int = 4) -> str:
        return " ".join(self.rng.choice(self.words) for _ in range(self.rng.randint(low, high)))

    def value(self, kind: str, row: int) -> Cell:
        r = self.rng
        match kind:
            case "id":
                return str(1000 + row)
            case "int":
                return str(r.randint(0, 5000))
            case "dec":
                return f"{r.uniform(0, 900):.2f}"
            case "comma":
                return f"{r.uniform(0, 900):.2f}".replace(".", ",")
            case "money":
                return f"${r.uniform(1, 90):.2f}"
            case "percent":
                return f"{r.randint(0, 100)}%"
            case "date":
                return f"20{r.randint(10, 26)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"
            case "dmy":
                return f"{r.randint(1, 28):02}/{r.randint(1, 12):02}/20{r.randint(10, 26)}"
            case "stamp":
                return f"{self.value('date', row)} {r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}"
            case "time":
                return f"{r.randint(0, 23):02}:{r.randint(0, 59):02}"
            case "name":
                return f"{r.choice(FIRST)} {r.choice(LAST)}"
            case "first":
                return r.choice(FIRST)
            case "last":
                return r.choice(LAST)
            case "comma_name":
                return f"{r.choice(LAST)}, {r.choice(FIRST)}"
            case "city":
                return r.choice(CITIES)
            case "status":
                return r.choice(STATUS)
            case "country":
                return r.choice(CODES)
            case "email":
                return f"{r.choice(FIRST)}.{r.choice(LAST)}{row}@example.com".lower()
            case "uuid":
                return "-".join(f"{r.getrandbits(4 * n):0{n}x}" for n in (8, 4, 4, 4, 12))
            case "sku":
                return f"{r.choice('ABCX')}{r.choice('KLMN')}-{r.randint(100, 9999)}"
            case "url":
                return f"https://example.com/{r.choice(self.words)}/{row}?a={r.randint(1, 9)}&b=2"
            case "bool":
                return r.choice(["true", "false"])
            case "phone":
                return f"+49 {r.randint(100, 999)} {r.randint(10000, 99999)}"
            case "path":
                return f"C:\\{r.choice(['temp', 'new', 'Users'])}\\{self.rng.choice(self.words)}.txt"
            case "note":
                return r.choice([self.text(2, 6), self.text(3, 9) + ", " + self.text(), f'the "{self.text(1, 1)}" one'])
            case "lines":
                return r.choice([self.text(2, 5), self.text() + "\n" + self.text(), self.text() + ", " + self.text()])
            case "sparse":
                return self.text(1, 2) if r.random() < 0.15 else None
            case "maybe":
                return str(r.randint(1, 99)) if r.random() < 0.7 else None
            case _:
                return self.text(1, 3)


NAMES = {
    "id": ["id", "order_id", "Nr", "customerId", "Kundennummer", "ID"],
    "int": ["quantity", "count", "Stock", "visits"],
    "dec": ["amount", "Price", "total_net", "weight kg"],
    "comma": ["Betrag", "Preis", "montant"],
    "money": ["Price", "Unit cost"],
    "percent": ["share", "Rate"],
    "date": ["date", "created_at", "Datum", "Day"],
    "dmy": ["date", "Invoice date"],
    "stamp": ["timestamp", "updated_at", "Zeitpunkt"],
    "time": ["time", "Start"],
    "name": ["name", "Customer", "contact person"],
    "first": ["first name", "firstname"],
    "last": ["surname", "last_name"],
    "comma_name": ["name", "Contact"],
    "city": ["city", "Ort", "Town"],
    "status": ["status", "State"],
    "country": ["country", "Land"],
    "email": ["email", "e-mail address"],
    "uuid": ["uuid", "key"],
    "sku": ["sku", "Article", "product_code"],
    "url": ["url", "Link"],
    "bool": ["active", "is_open"],
    "phone": ["phone", "Telefon"],
    "path": ["path", "file"],
    "note": ["note", "Comment", "description"],
    "lines": ["note", "Remarks"],
    "sparse": ["extra", "remark"],
    "maybe": ["score", "rating"],
    "text": ["title", "label"],
}
MIXED = (
    "id",
    "name",
    "city",
    "dec",
    "date",
    "status",
    "email",
    "int",
    "sku",
    "note",
    "stamp",
    "country",
    "bool",
    "text",
)
SHAPES: tuple[tuple[str, ...], ...] = (
    ("id", "name", "city", "dec", "date"),
    ("stamp", "sku", "int", "dec", "status", "note"),
    ("first", "last", "email", "country", "bool", "maybe"),
    ("date", "time", "int", "sku", "money", "text", "lines", "url", "sparse"),
    ("uuid", "text", "dec", "dec", "dec"),
    ("id", "sparse", "sparse", "maybe", "dmy", "comma_name"),
    ("name", "phone", "city", "percent"),
    ("sku", "int"),
)


def table(
    rng: random.Random, kinds: tuple[str, ...], rows: int, lang: str = "en"
) -> tuple[list[str], list[list[Cell]]]:
    made = Table(rng, lang)
    header: list[str] = []
    for n, kind in enumerate(kinds):
        name = rng.choice(NAMES.get(kind, [kind]))
        header.append(name if name not in header else f"{name} {n + 1}")
    return header, [[made.value(kind, row) for kind in kinds] for row in range(rows)]


def cell(value: Cell, style: Style) -> str:
    if value is None:
        return style.null
    needs = style.quote and (
        style.quote_all or any(c in value for c in ("\n", "\r", style.quote)) or style.delimiter in value
    )
    if style.quote and needs:
        inner = value
        if style.escape:
            inner = inner.replace(style.escape, style.escape * 2).replace(style.quote, style.escape + style.quote)
        else:
            inner = inner.replace(style.quote, style.quote * 2)
        return f"{style.quote}{inner}{style.quote}"
    if style.escape and not style.quote:
        value = value.replace(style.escape, style.escape * 2).replace("\t", "\\t").replace("\n", "\\n")
        value = value.replace(style.delimiter, style.escape + style.delimiter)
    elif not style.quote:
        value = value.replace("\n", " ").replace(style.delimiter, " ")
    return value


def line(values: list[Cell], style: Style) -> str:
    joint = style.delimiter + (" " if style.space else "")
    return joint.join(cell(value, style) for value in values) + style.end


def write(header: list[str], rows: list[list[Cell]], style: Style) -> str:
    lines = [line(list(header), style)] if style.header else []
    return "".join(lines + [line(row, style) for row in rows])


def truth_of(style: Style, text: str, **more: object) -> Truth:
    escape = style.escape if style.escape and style.escape in text else None
    truth = Truth(delimiter=style.delimiter, quotechar=style.quote, escapechar=escape, header=style.header)
    return replace(truth, **more)  # type: ignore[arg-type]  # fields by name


class Maker:
    """Makes the files of one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.exports: list[Export] = []

    def add(self, kind: str, name: str, text: str | bytes, truth: Truth) -> None:
        data = text if isinstance(text, bytes) else text.encode(truth.encoding)
        self.exports.append(Export(kind, f"{kind}-{len(self.exports):03}-{name}", data, truth))

    def some(
        self, kinds: tuple[str, ...] | None = None, rows: int | None = None, lang: str = "en"
    ) -> tuple[list[str], list[list[Cell]]]:
        shape = kinds or self.rng.choice(SHAPES)
        return table(self.rng, shape, rows or self.rng.choice([6, 15, 40, 90, 200]), lang)

    def style(self, **more: object) -> Style:
        base = Style(
            delimiter=self.rng.choice([",", ",", ";", "\t", "|"]),
            end=self.rng.choice(["\r\n", "\n"]),
            quote_all=self.rng.random() < 0.25,
        )
        return replace(base, **more)  # type: ignore[arg-type]  # the same

    def all(self) -> list[Export]:
        for part in PARTS:
            part(self)
        return self.exports


def plain(m: Maker) -> None:
    """Ordinary exports of many contents."""
    for n in range(64):
        kinds = tuple(m.rng.sample(MIXED, m.rng.randint(2, 9))) if n % 2 else None
        style = m.style()
        if n % 8 == 5 and style.delimiter != ",":
            kinds = ("id", "name", "comma", "comma", "dmy")
        text = write(*m.some(kinds), style)
        m.add("plain", "table", text, truth_of(style, text))
    wide = tuple(m.rng.choice(MIXED) for _ in range(180))
    style = m.style(delimiter=",")
    header, rows = table(m.rng, wide, 30)
    m.add("plain", "wide", write([f"c{n}_{name}" for n, name in enumerate(header)], rows, style), truth_of(style, ""))


def unusual(m: Maker) -> None:
    """Years as a header, all text, one column, few records, sep=, byte order marks, blank and repeated lines."""
    for n in range(6):
        years = [str(2015 + n + k) for k in range(m.rng.randint(3, 7))]
        rows: list[list[Cell]] = [[c, *(f"{m.rng.uniform(1, 99):.1f}" for _ in years)] for c in m.rng.sample(CITIES, 9)]
        style = m.style()
        m.add("unusual", "years", write(["city", *years], rows, style), truth_of(style, ""))
    for _ in range(8):
        style = m.style()
        header, rows = m.some(("first", "last", "city", "text"))
        m.add("unusual", "texts", write(header, rows, style), truth_of(style, ""))
    for kind in ("email", "name", "int", "sku", "date"):
        style = Style(end="\n")
        header, rows = m.some((kind,))
        m.add("unusual", "column", write(header, rows, style), truth_of(style, ""))
    for rows_ in (1, 2, 3, 3):
        style = m.style()
        header, rows = m.some(("id", "name", "dec", "date"), rows_)
        m.add("unusual", "few", write(header, rows, style), truth_of(style, ""))
    for delimiter in (";", ",", "|", "\t"):
        style = m.style(delimiter=delimiter)
        text = f"sep={delimiter}\r\n" + write(*m.some(), style)
        m.add("unusual", "sep", text, truth_of(style, text, skip_lines=1))
    for _ in range(4):
        style = m.style()
        text = write(*m.some(), style)
        m.add("unusual", "bom", b"\xef\xbb\xbf" + text.encode(), truth_of(style, text))
    for _ in range(5):
        style = m.style()
        header, rows = m.some(None, 60)
        half = write(header, rows[:30], style)
        m.add("unusual", "repeated", half + write(header, rows[30:], style), truth_of(style, ""))
        lines = [line(row, style) + (style.end if m.rng.random() < 0.1 else "") for row in rows]
        m.add("unusual", "blank", line(list(header), style) + "".join(lines), truth_of(style, ""))


PROSE = (
    "Monthly report of all orders, as agreed",
    "Prepared by the finance team on request.",
    "Confidential: do not share",
    "All amounts are in euros, without tax; rounded to cents.",
    "Source: data warehouse, nightly run",
    "Filters: none",
    "See the handbook (chapter 4) for the meaning of the columns",
    "Contact: help@example.com",
    "Version 3.2",
)


def preambles(m: Maker) -> None:
    """Lines before the header: prose, comments, pairs, padded ones, as wide as the table."""
    for n in range(24):
        style = m.style(end="\n")
        kinds = [
            ("id", "name", "city", "dec", "date"),
            ("stamp", "sku", "int", "dec", "status", "note"),
            ("sku", "int"),
            ("name", "phone", "city", "percent"),
        ][n // 6 % 4]
        header, rows = m.some(kinds, m.rng.choice([8, 25, 70]))
        pad = style.delimiter * (len(header) - 1)
        r = m.rng
        before = [
            [r.choice(PROSE)],
            [r.choice(PROSE), "", r.choice(PROSE)],
            [f"# {r.choice(PROSE)}" for _ in range(3)],
            [r.choice(PROSE) for _ in range(20)],
            [f"{r.choice(PROSE[1:3])}{pad}", pad],
            [f"Report date{style.delimiter}2024-01-31", f"Department{style.delimiter}Sales", ""],
        ][n % 6]
        text = "".join(f"{one}\n" for one in before) + write(header, rows, style)
        m.add("preamble", str(n % 6), text, truth_of(style, text, skip_lines=len(before)))


def trailers(m: Maker) -> None:
    """Lines after the last record: counts, totals, notes, a footer longer than the table."""
    for n in range(14):
        style = m.style(end="\n")
        count = m.rng.choice([8, 30])
        header, rows = m.some(("id", "name", "city", "dec", "date"), count)
        behind = [
            [f"T{style.delimiter}{count}"],
            ["", f"({count} rows affected)"],
            [f"Total: {count}"],
            [m.rng.choice(PROSE) for _ in range(3)],
            [m.rng.choice(PROSE) for _ in range(40)],
            [f"Generated on 2024-01-31{style.delimiter * 4}"],
            ["", "EOF"],
        ][n % 7]
        text = write(header, rows, style) + "".join(f"{one}\n" for one in behind)
        m.add("trailer", str(n % 7), text, truth_of(style, text, skip_trailer=sum(1 for one in behind if one)))


def backslashes(m: Maker) -> None:
    """Backslash escapes, in quotes and without, and backslashes that are none."""
    for n in range(12):
        delimiter = [",", "\t", ";", "|"][n % 4]
        header, rows = m.some(("id", "note", "text", "dec", "lines"), m.rng.choice([20, 60]))
        for at, row in enumerate(rows):
            if at % 5 == 0:
                row[1] = f'size 5" {m.rng.choice(WORDS["en"])}{delimiter} or "more"'
            if n % 3 == 1 and at % 4 == 0:
                row[2] = None
            if n % 3 == 2 and at % 6 == 0:
                row[2] = "ends with \\"
        bare = n % 3 == 1
        style = Style(delimiter, None if bare else '"', "\\", "\n", null="\\N" if bare else "")
        text = write(header, rows, style)
        m.add("backslash", str(n % 3), text, truth_of(style, text))
    for _ in range(4):
        style = m.style(delimiter=",")
        text = write(*m.some(("id", "path", "name", "dec")), style)
        m.add("paths", "windows", text, truth_of(style, text))


def odd(m: Maker) -> None:
    """Delimiters of several bytes, control characters and signs."""
    marks = ("||", "¦", "^", "\x01", "~|~", "~", "::", "|~|", "\x1f", "^|^", "§", "#", "&&", "<>")
    for n, delimiter in enumerate(marks):
        style = Style(delimiter, '"' if n % 2 else None, end="\n")
        kinds = [
            ("id", "name", "city", "dec", "date", "sparse"),
            ("stamp", "sku", "int", "note", "maybe"),
            ("first", "email", "url", "dec"),
        ][n % 3]
        text = write(*m.some(kinds, m.rng.choice([12, 60])), style)
        m.add("odd", ascii(delimiter), text, truth_of(style, text, quotechar='"' if '"' not in text or n % 2 else None))


def headerless(m: Maker) -> None:
    """Tables whose first record is data."""
    shapes = (
        *SHAPES[:7],
        ("id", "first", "last", "city"),
        ("date", "dec", "dec", "dec"),
        ("first", "status", "country", "int"),
    )
    for n in range(24):
        style = m.style(header=False)
        text = write(*m.some(shapes[n % len(shapes)], m.rng.choice([10, 40, 100])), style)
        m.add("headerless", str(n % len(shapes)), text, truth_of(style, text))


def quotes(m: Maker) -> None:
    """Single quotes, quotes around everything, quotes that are letters, spaces after delimiters."""
    for n in range(16):
        style = m.style(quote_all=n % 4 == 1, quote="'" if n % 4 < 2 else ('"' if n % 4 == 3 else None))
        header, rows = m.some(("id", "note", "text", "dec", "lines"))
        if n % 4 < 2:
            rows[0][1] = f"it's here{style.delimiter} now"
        if n % 4 == 3:
            style = replace(style, delimiter=",", space=True, quote_all=True)
        if n % 4 == 2:
            rows[1][1] = '5" disk'
        text = write(header, rows, style)
        m.add("quotes", str(n % 4), text, truth_of(style, text))


ENCODINGS = (
    ("de", "cp1252"),
    ("fr", "cp1252"),
    ("es", "iso-8859-1"),
    ("fr", "utf-8"),
    ("pl", "cp1250"),
    ("pl", "iso-8859-2"),
    ("ru", "cp1251"),
    ("ru", "koi8-r"),
    ("ru", "utf-8"),
    ("el", "cp1253"),
    ("tr", "cp1254"),
    ("ja", "cp932"),
    ("ja", "euc_jp"),
    ("ja", "utf-8"),
    ("zh", "gb18030"),
    ("zh", "utf-8"),
    ("ko", "cp949"),
    ("de", "utf-16"),
    ("ru", "utf-16"),
    ("en", "utf-16-le"),
    ("fr", "mac_roman"),
    ("de", "cp850"),
    ("ru", "cp866"),
    ("de", "utf-8-sig"),
)


def encodings(m: Maker) -> None:
    """Other scripts, in the encodings that they come in."""
    for lang, encoding in ENCODINGS:
        style = m.style(delimiter=m.rng.choice([",", ";", "\t"]))
        text = write(*m.some(("id", "text", "text", "dec", "date"), m.rng.choice([8, 40, 150]), lang), style)
        m.add("encoding", encoding, text, truth_of(style, text, encoding=encoding))


def pollock(m: Maker) -> None:
    """Pollock's parameters of files and rows, on a table of 9 columns and 84 lines."""
    kinds = ("dmy", "time", "int", "sku", "money", "text", "note", "url", "sparse")
    base = Style(quote_all=False)

    def made(**more: object) -> tuple[list[str], list[list[Cell]], Style]:
        header, rows = table(m.rng, kinds, 83)
        rows[4][6] = 'round 48" table, "new"'
        return header, rows, replace(base, **more)  # type: ignore[arg-type]  # fields by name

    def whole(name: str, text: str, truth: Truth) -> None:
        m.add("pollock-file", name, text, truth)

    header, rows, style = made()
    text = write(header, rows, style)
    for name, changed in (
        ("source", text),
        ("no_trailing_newline", text[:-2]),
        ("double_trailing_newline", text + "\r\n"),
    ):
        whole(name, changed, Truth())
    whole("header_only", line(list(header), style), Truth(clear=False))
    whole("one_data_row", write(header, rows[:1], style), Truth())
    whole("no_header", write(header, rows, replace(style, header=False)), Truth(header=False))
    whole("header_multirow_2", line(list(header), style) + text, Truth())
    whole("preamble", f"PREAMBLE{',' * 8}\r\n{',' * 8}\r\n" + text, Truth(skip_lines=2))
    for name, columns in (("less", 8), ("same", 9), ("more", 10)):
        second = [(row + row)[:columns] for row in rows]
        whole(f"multitable_{name}", text + write([*header, "more"][:columns], second, style), Truth())
    for delimiter in (";", "\t", "|"):
        text = write(header, rows, replace(style, delimiter=delimiter))
        whole(f"delimiter_{ord(delimiter):x}", text, Truth(delimiter=delimiter))
    whole("delimiter_2c_20", write(header, rows, replace(style, space=True, quote_all=True)), Truth())
    whole("quotation_27", write(header, rows, replace(style, quote="'", quote_all=True)), Truth(quotechar="'"))
    whole("escape_5c", write(header, rows, replace(style, escape="\\")), Truth(escapechar="\\"))
    for end in ("\n", "\r"):
        whole(f"record_{ord(end):x}", write(header, rows, replace(style, end=end)), Truth())
    for n in range(48):
        lines = [line(list(header), style), *(line(row, style) for row in rows)]
        at, column = m.rng.randrange(len(lines)), m.rng.randrange(1, 8)
        cells = [cell(value, style) for value in (list(header) if at == 0 else rows[at - 1])]
        kind = ("more_sep", "less_sep", "extra_quote", "field_delimiter")[n % 4]
        if kind == "more_sep":
            cells.insert(column, "")
        elif kind == "less_sep":
            cells[column : column + 2] = ["".join(cells[column : column + 2])]
        elif kind == "extra_quote":
            cells[column] = '"' + cells[column]
        lines[at] = (" " if kind == "field_delimiter" else ",").join(cells) + "\r\n"
        m.add("pollock-row", f"{kind}_{at}_{column}", "".join(lines), Truth(clear=at > 0))


PARTS: tuple[Callable[[Maker], None], ...] = (
    plain,
    unusual,
    preambles,
    trailers,
    backslashes,
    odd,
    headerless,
    quotes,
    encodings,
    pollock,
)


def make(seed: int) -> list[Export]:
    """The files of one seed, the same each time."""
    return Maker(seed).all()
