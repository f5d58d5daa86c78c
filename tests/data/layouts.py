"""Eight layouts of four kinds of documents: what is printed on each, and where its fields are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.data import values
from tests.data.paper import Align
from tests.data.values import DateOrder, Maker, Separator, ValueType

Kind = Literal["invoice", "form", "receipt", "letter"]
A4, LETTER, ROLL = (595.0, 842.0), (612.0, 792.0), (226.0, 480.0)


@dataclass(frozen=True, slots=True)
class Area:
    """A field: its box, as a person would draw it around the place for its value, in points."""

    name: str
    make: Maker
    x: float
    y: float
    width: float
    height: float = 20
    type: ValueType = "text"
    format: str | None = None
    wrong: str | None = None
    """A value that does not have the format."""
    required: bool = True
    align: Align = "left"
    page: int = 1
    columns: tuple[float, ...] = ()
    """Where the cells of a table begin, from the left of the box; the last one ends at the right of it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is the same on all documents of an issuer. `captions` are page, x, baseline, size and text."""

    kind: Kind
    name: str
    size: tuple[float, float]
    font: str
    bold: str
    text_size: float
    areas: tuple[Area, ...]
    captions: tuple[tuple[int, float, float, float, str], ...]
    date_order: DateOrder | None = None
    separator: Separator | None = None
    pages: int = 1
    is_boxed: bool = False
    """Whether fields have an outline."""
    prose: tuple[int, float, float, int] | None = None
    """Page, x, baseline and number of lines of sentences that differ from document to document."""
    sentences: tuple[str, ...] = values.ENGLISH
    address: tuple[float, float] | None = None
    """Where an address is that differs from document to document."""


INVOICE_DE = Layout(
    "invoice", "invoice with decimal commas", A4, "Helvetica", "Helvetica-Bold", 10,
    (
        Area("number", values.code("RE-", 6), 430, 150, 110, format=r"RE-[0-9]{6}", wrong="RE-20A4"),
        Area("date", values.dated("%d.%m.%Y"), 430, 174, 110, type="date"),
        Area("customer", values.code("K", 5), 430, 198, 110, format=r"K[0-9]{5}", required=False),
        Area("items", values.rows(values.ARTICLES, ".", ",", 6), 55, 330, 490, 130, type="table", required=False,
             columns=(0, 300, 486)),
        Area("net", values.money(".", ","), 430, 500, 115, type="amount", align="right"),
        Area("total", values.money(".", ",", after=" EUR"), 430, 530, 115, type="amount", align="right"),
    ),
    (
        (1, 55, 70, 20, "Nordwind Handel GmbH"), (1, 55, 90, 9, "Werkstrasse 14, 28195 Bremen, Telefon 0421 555 0170"),
        (1, 55, 270, 16, "Rechnung"), (1, 330, 164, 10, "Rechnung Nr."), (1, 330, 188, 10, "Rechnungsdatum"),
        (1, 330, 212, 10, "Kundennummer"), (1, 55, 300, 10, "Wir liefern Ihnen gemäß unseren Bedingungen:"),
        (1, 57, 322, 10, "Artikel"), (1, 355, 322, 10, "Menge"), (1, 512, 322, 10, "Preis"),
        (1, 330, 514, 10, "Summe netto"), (1, 330, 544, 11, "Gesamtbetrag"),
        (1, 55, 600, 10, "Zahlbar innerhalb von dreißig Tagen ohne Abzug."),
        (1, 55, 780, 8, "Amtsgericht Bremen HRB 20417 - Geschäftsführer Jan Petersen - USt-Id DE811234567"),
    ),
    "DMY", ",", address=(55, 150),
)  # fmt: skip
INVOICE_US = Layout(
    "invoice", "invoice with decimal points", LETTER, "Times-Roman", "Times-Bold", 11,
    (
        Area("number", values.code("INV-", 7), 90, 190, 130, format=r"INV-[0-9]{7}", wrong="INV/33-XB"),
        Area("date", values.dated("%m/%d/%Y"), 260, 190, 120, type="date"),
        Area("due", values.dated("%m/%d/%Y"), 420, 190, 120, type="date", required=False),
        Area("order", values.code("PO", 6), 90, 240, 130, format=r"PO[0-9]{6}", required=False),
        Area("items", values.rows(values.ARTICLES, ",", ".", 7), 60, 320, 490, 150, type="table", required=False,
             columns=(0, 330, 486)),
        Area("tax", values.money(",", ".", before="$", most=900), 440, 520, 110, type="amount", align="right"),
        Area("total", values.money(",", ".", before="$"), 440, 550, 110, type="amount", align="right"),
    ),
    (
        (1, 60, 70, 22, "Redwood Supplies Inc."), (1, 60, 90, 10, "400 Commerce Boulevard, Portland, Oregon 97205"),
        (1, 470, 70, 18, "INVOICE"), (1, 90, 184, 10, "Invoice number"), (1, 260, 184, 10, "Invoice date"),
        (1, 420, 184, 10, "Payment due"), (1, 90, 234, 10, "Purchase order"), (1, 62, 312, 10, "Description"),
        (1, 385, 312, 10, "Quantity"), (1, 505, 312, 10, "Amount"), (1, 340, 534, 10, "Sales tax"),
        (1, 340, 564, 11, "Total due"), (1, 60, 640, 10, "Make all checks payable to Redwood Supplies."),
        (1, 60, 656, 10, "Questions about this invoice: accounting department, extension 204."),
        (1, 60, 740, 9, "Thank you for your business and your continued trust."),
    ),
    "MDY", ".", address=(340, 120),
)  # fmt: skip
FORM_UK = Layout(
    "form", "form with outlined fields", A4, "Helvetica", "Helvetica-Bold", 11,
    (
        Area("policy", values.code("PL", 8), 220, 150, 160, 22, format=r"PL[0-9]{8}", wrong="PX-7781"),
        Area("name", values.name, 220, 190, 300, 22, format=r"[A-Z][a-z]+ [A-Z][a-z]+"),
        Area("born", values.dated("%d/%m/%Y"), 220, 230, 160, 22, type="date"),
        Area("incident", values.dated("%d/%m/%Y"), 220, 270, 160, 22, type="date", required=False),
        Area("claimed", values.money(",", ".", before="£", most=9000), 220, 310, 160, 22, type="amount"),
        Area("sort code", lambda c: values.plain("-".join(f"{c.randrange(10, 99)}" for _ in range(3))), 220, 350, 160,
             22, format=r"[0-9]{2}-[0-9]{2}-[0-9]{2}", required=False),
    ),
    (
        (1, 50, 70, 18, "Claim form"), (1, 50, 92, 10, "Harbour Mutual Insurance Society"),
        (1, 50, 120, 10, "Please write clearly and return this form within fourteen days."),
        (1, 60, 166, 10, "Policy number"), (1, 60, 206, 10, "Full name"), (1, 60, 246, 10, "Date of birth"),
        (1, 60, 286, 10, "Date of incident"), (1, 60, 326, 10, "Amount claimed"), (1, 60, 366, 10, "Bank sort code"),
        (1, 50, 430, 12, "Declaration"),
        (1, 50, 450, 10, "I declare that everything stated above is complete and true."),
        (1, 50, 466, 10, "I agree that the society may ask other insurers about earlier claims."),
        (1, 60, 540, 10, "Signature of claimant"), (1, 340, 540, 10, "Place and day"),
        (1, 50, 790, 8, "Form HM-204, version seven, printed in Bristol"),
    ),
    "DMY", ".", is_boxed=True,
)  # fmt: skip
FORM_CH = Layout(
    "form", "form lying on its long side", (842.0, 595.0), "Helvetica", "Helvetica-Bold", 11,
    (
        Area("permit", values.code("CH.", 7), 60, 160, 180, 22, format=r"CH\.[0-9]{7}", wrong="CH-12"),
        Area("holder", values.name, 300, 160, 240, 22, required=False),
        Area("issued", values.dated("%Y-%m-%d"), 60, 230, 180, 22, type="date"),
        Area("expires", values.dated("%Y-%m-%d"), 300, 230, 180, 22, type="date"),
        Area("fee", values.money("'", ".", before="CHF ", most=5000), 560, 230, 200, 22, type="amount"),
        Area("plate", lambda c: values.plain(f"GE {c.randrange(10_000, 999_999)}"), 560, 160, 200, 22,
             format=r"GE [0-9]{5,6}", required=False),
    ),
    (
        (1, 60, 60, 18, "Transport permit"), (1, 60, 84, 10, "Cantonal road office, Geneva"),
        (1, 60, 152, 9, "Permit number"), (1, 300, 152, 9, "Holder"), (1, 560, 152, 9, "Vehicle plate"),
        (1, 60, 222, 9, "Issued on"), (1, 300, 222, 9, "Expires on"), (1, 560, 222, 9, "Fee paid"),
        (1, 60, 320, 11, "Conditions"), (1, 60, 340, 10, "The vehicle must carry this permit during every journey."),
        (1, 60, 356, 10, "Loads above forty tonnes need a separate authorisation in writing."),
        (1, 60, 372, 10, "Night journeys are allowed on motorways outside of residential areas."),
        (1, 60, 480, 10, "Officer in charge"), (1, 560, 480, 10, "Official stamp"),
    ),
    None, ".", is_boxed=True,
)  # fmt: skip
RECEIPT_US = Layout(
    "receipt", "receipt with undeclared date order", ROLL, "Courier", "Courier-Bold", 9,
    (
        Area("ticket", values.code("T", 6), 110, 96, 96, 18, format=r"T[0-9]{6}", wrong="7-AB"),
        Area("date", values.dated("%m/%d/%Y", is_ambiguous=True), 110, 116, 96, 18, type="date"),
        Area("items", values.rows(values.GROCERIES, ",", ".", 6), 14, 160, 198, 100, type="table", required=False,
             columns=(0, 95, 194)),
        Area("total", values.money(",", ".", before="$", most=900), 110, 290, 102, 20, type="amount", align="right"),
    ),
    (
        (1, 40, 30, 12, "CORNER MARKET"), (1, 30, 46, 9, "17 Lakeview Avenue"), (1, 30, 60, 9, "Open every day"),
        (1, 16, 108, 9, "Receipt"), (1, 16, 128, 9, "Sold on"), (1, 16, 150, 9, "Article"), (1, 100, 150, 9, "Qty"),
        (1, 175, 150, 9, "Price"), (1, 16, 304, 10, "TOTAL"), (1, 16, 340, 9, "Paid by card"),
        (1, 16, 370, 9, "Goods may be exchanged"), (1, 16, 384, 9, "within fourteen days"),
        (1, 16, 398, 9, "with this receipt."), (1, 30, 430, 9, "Have a lovely weekend"),
    ),
    None, None,
)  # fmt: skip
RECEIPT_FR = Layout(
    "receipt", "receipt with decimal commas", ROLL, "Helvetica", "Helvetica-Bold", 9,
    (
        Area("date", values.dated("%d/%m/%Y"), 20, 84, 80, 18, type="date"),
        Area("counter", values.code("C", 3), 150, 84, 60, 18, format=r"C[0-9]{3}", wrong="77Z"),
        Area("items", values.rows(values.GROCERIES, " ", ",", 6), 14, 130, 198, 100, type="table", required=False,
             columns=(0, 110, 194)),
        Area("tax", values.money(" ", ",", after=" €", most=90), 120, 262, 90, 18, type="amount", align="right"),
        Area("total", values.money(" ", ",", after=" €", most=1800), 120, 284, 90, 18, type="amount", align="right"),
    ),
    (
        (1, 36, 32, 13, "Marché des Halles"), (1, 36, 48, 8, "Rue du Port, Lyon"), (1, 20, 78, 8, "Date achat"),
        (1, 150, 78, 8, "Caisse"), (1, 16, 122, 8, "Produit"), (1, 120, 122, 8, "Nombre"), (1, 188, 122, 8, "Prix"),
        (1, 16, 275, 9, "Taxe incluse"), (1, 16, 297, 10, "Total payer"), (1, 16, 330, 8, "Carte bancaire"),
        (1, 16, 360, 8, "Conservez votre ticket"), (1, 16, 374, 8, "pour tout échange"),
        (1, 16, 400, 8, "Merci de votre visite et bonne soirée"),
    ),
    "DMY", ",",
)  # fmt: skip
LETTER_EN = Layout(
    "letter", "letter", A4, "Times-Roman", "Times-Bold", 12,
    (
        Area("reference", values.code("HB/", 5), 150, 186, 150, format=r"HB/[0-9]{5}", wrong="HB-9"),
        Area("date", values.dated("%-d %B %Y"), 390, 186, 150, type="date"),
        Area("premium", values.money(",", ".", before="£", most=5000), 240, 420, 140, type="amount"),
        Area("payable", values.dated("%-d %B %Y"), 240, 446, 150, type="date"),
        Area("adviser", values.name, 150, 590, 200, format=r"[A-Z][a-z]+ [A-Z][a-z]+", required=False),
    ),
    (
        (1, 60, 70, 18, "Harbour Bank"), (1, 60, 88, 10, "Quayside Chambers, Bristol"),
        (1, 60, 200, 12, "Our reference"), (1, 340, 200, 12, "Dated"), (1, 60, 250, 12, "Dear customer,"),
        (1, 60, 270, 13, "Renewal of your household agreement"),
        (1, 60, 400, 12, "The following terms apply to the coming year:"), (1, 80, 434, 12, "Yearly premium"),
        (1, 80, 460, 12, "Payable until"), (1, 60, 500, 12, "Nothing else changes for you."),
        (1, 60, 540, 12, "Yours sincerely"), (1, 60, 604, 12, "Your adviser"),
        (1, 60, 790, 9, "Authorised and supervised by the national regulator"),
    ),
    "DMY", ".", prose=(1, 60, 300, 5), address=(60, 116),
)  # fmt: skip
LETTER_NL = Layout(
    "letter", "letter of two pages", A4, "Helvetica", "Helvetica-Bold", 11,
    (
        Area("file", values.code("D", 7), 150, 210, 150, format=r"D[0-9]{7}", wrong="DD-1"),
        Area("date", values.dated("%d-%m-%Y"), 400, 210, 130, type="date"),
        Area("allowance", values.money(".", ",", before="€ ", most=30_000), 260, 150, 150, type="amount", page=2),
        Area("repaid", values.money(".", ",", before="€ -", most=900), 260, 176, 150, type="amount", page=2,
             required=False),
        Area("from", values.dated("%d-%m-%Y"), 260, 202, 150, type="date", page=2),
    ),
    (
        (1, 60, 70, 18, "Gemeente Leiden"), (1, 60, 90, 10, "Afdeling Toeslagen, Stationsplein 12"),
        (1, 60, 224, 11, "Dossiernummer"), (1, 340, 224, 11, "Datum"), (1, 60, 270, 13, "Beslissing over uw aanvraag"),
        (1, 60, 290, 11, "Geachte heer of mevrouw,"), (1, 60, 620, 11, "Op de volgende bladzijde staat de berekening."),
        (1, 60, 790, 9, "Bezwaar maken kan binnen zes weken"), (2, 60, 70, 13, "Berekening van de toeslag"),
        (2, 60, 100, 11, "Deze bedragen gelden voor het hele kalenderjaar."), (2, 80, 164, 11, "Toegekend bedrag"),
        (2, 80, 190, 11, "Terug te betalen"), (2, 80, 216, 11, "Ingangsdatum"),
        (2, 60, 270, 11, "Wijzigingen in uw inkomen moet u altijd doorgeven."),
        (2, 60, 290, 11, "Met vriendelijke groet namens het college"), (2, 60, 380, 11, "Hoofd afdeling Toeslagen"),
        (2, 60, 790, 9, "Bladzijde twee van twee"),
    ),
    "DMY", ",", pages=2, prose=(1, 60, 320, 6), sentences=values.DUTCH, address=(60, 130),
)  # fmt: skip

LAYOUTS = (INVOICE_DE, FORM_UK, RECEIPT_US, LETTER_EN, INVOICE_US, FORM_CH, RECEIPT_FR, LETTER_NL)
