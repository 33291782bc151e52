"""Whether a table's first record is its header."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.inspect.kinds import TYPED, kind_of, shape_of

if TYPE_CHECKING:
    from splitjoin_cli.splitting.inspect.columns import Column, Profile
    from splitjoin_cli.splitting.inspect.form import Row

__all__ = ["header_score"]

_NAMES = frozenset(
    b"id key code name first last firstname lastname surname title date time timestamp datetime day month year "
    b"week hour created updated modified email mail phone tel fax address street city town zip postcode postal "
    b"country state region status type kind category class group amount amt total sum price cost value val qty "
    b"quantity count number num no nr currency rate tax vat net gross balance account customer client user order "
    b"item product sku description desc note notes comment comments remark text message url link uri path file "
    b"size width height weight lat lon latitude longitude x y z index rank score level age gender sex birth dob "
    b"active flag enabled start end from to min max avg mean median std source target parent owner author version "
    b"label tag tags unit units language lang locale ip host nom prenom ville pays adresse montant prix libelle "
    b"libell\xc3\xa9 statut datum betrag menge preis stadt land strasse anzahl kunde artikel bezeichnung vorname "
    b"nachname fecha nombre apellido ciudad pais precio cantidad importe estado descripcion valor data cidade "
    b"preco quantidade prezzo importo quantita naam stad bedrag aantal prijs omschrijving namn ort belopp antal "
    b"navn by kwota ilosc cena miasto imie nazwisko ad tarih tutar sehir ".split()
)
_IDENTIFIER = re.compile(rb"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]*)+|[A-Za-z]+_?\d{1,3}")
_LONG = 60


def header_score(row: Row, profile: Profile) -> float:
    """Above 0 where ``row`` names the columns of ``profile``, below where it is one of its records; 0 is unknown."""
    texts = profile.texts(row)
    if not any(texts):
        return -1.0
    total = _run_of_numbers(texts, profile)
    counted = total != 0
    for at, (text, column) in enumerate(zip(texts, profile.columns, strict=False)):
        if not text:
            total -= 0.0 if at == 0 or column.filled < 0.9 else 0.3  # nearly all others are filled
        elif not (counted and _is_number(text)):
            total += _vote(text, column, profile.rows)
    held = [text for text in texts if text]
    total -= 1.5 * (len(held) - len(set(held))) / len(held)
    data = any(column.kind and column.holds(text) for text, column in zip(texts, profile.columns, strict=False) if text)
    if data and not counted:  # numbers above numbers: words beside them may be values
        return total
    words = [word for text in held for word in re.split(rb"[\s_./()-]+", text.lower())]
    total += 0.8 * min(2, sum(word in _NAMES for word in words))
    total += 0.5 * min(2, sum(1 for text in held if _IDENTIFIER.fullmatch(text)))
    return total


def _is_number(text: bytes) -> bool:
    return kind_of(text) == "number"


def _vote(text: bytes, column: Column, rows: int) -> float:
    """What one column says of one field."""
    kind = kind_of(text)
    if text in column.values and column.filled:
        again = column.values[text]
        return -1.5 if again > 1 or rows < 30 else -1.0  # few rows repeat little
    if column.kind:
        return -1.0 if column.holds(text) else (1.2 if kind not in TYPED and kind != "null" else 0.2)
    if kind in TYPED and kind != "bool":
        return -0.8 if column.filled else -0.1
    if column.shape is not None:
        return -1.0 if shape_of(text) == column.shape else 0.9
    if len(text) > _LONG or b"\n" in text:
        return -0.4 if column.lengths[1] > _LONG else 0.1
    low, high = column.lengths
    if high and rows > 2:  # two say nothing of a length
        if low == high:
            return 0.6 if len(text) != low else -0.2
        if len(text) > high or len(text) < low:
            return 0.3
    return 0.0


def _run_of_numbers(texts: list[bytes], profile: Profile) -> float:
    """Columns that are called by years, or by their numbers: texts in one step up, over other values."""
    runs = [(at, int(text)) for at, text in enumerate(texts) if text.isdigit() and len(text) <= 4]
    if len(runs) < 2 or any(_is_number(text) and not text.isdigit() for text in texts):
        return 0.0
    numbers = [number for _, number in runs]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(steps) != 1 or steps.pop() not in (1, -1, 5, 10, 2):
        return 0.0
    columns = [profile.columns[at] for at, _ in runs if at < len(profile.columns)]
    body = [value for column in columns for value in column.values]
    if not body:
        return 0.0
    years = all(1900 <= number <= 2100 for number in numbers)
    in_body = sum(1 for value in body if value.isdigit() and _like(value, years=years, most=len(texts)))
    if years:
        return 2.0 if in_body < len(body) / 4 else -1.0
    if numbers[0] in (0, 1) and len(numbers) >= 4:
        return 1.5 if in_body < len(body) / 4 else -0.5
    return 0.0


def _like(value: bytes, *, years: bool, most: int) -> bool:
    return len(value) <= 4 and (1900 <= int(value) <= 2100 if years else int(value) <= most)
