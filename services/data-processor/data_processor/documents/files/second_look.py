"""Read words again that Tesseract is not sure of: each alone, in several sizes, and let the readings vote.

In the line, a few spoilt pixels can turn a number into letters. Alone, most readings of a word agree on what it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import tesserocr
from PIL import Image

from data_processor.documents.files import tesseract
from data_processor.documents.files.read_words import Word

_SURE = 0.85
"""Words of that confidence are not read again."""
_WORDS_MAX = 60
"""Most words of a page that are read again, those first that are least sure: each takes up to 50 ms."""
_SPLIT_GAP = 0.3
"""Parts of a number with a smaller gap, in heights of them, may be one word: Tesseract splits some after a comma."""
_SIZES = (0.7, 1.0, 1.5)
_MARGINS = (0.25, 0.5)
"""Around the word, in heights of it."""
_SIDE_MIN = 3


def surer(page: Image.Image, words: Sequence[Word]) -> list[Word]:
    """Return the words of a page, with the text that most readings of each doubtful one agree on."""
    words = list(_joined(words))
    doubtful = sorted((word["confidence"], number) for number, word in enumerate(words) if word["confidence"] < _SURE)
    chosen = {number for _, number in doubtful[:_WORDS_MAX]}
    return [_read_again(page, word) if number in chosen else word for number, word in enumerate(words)]


def _joined(words: Sequence[Word]) -> Iterator[Word]:
    """Yield words with the parts of doubtful split numbers as one."""
    last: Word | None = None
    for word in words:
        if last is not None and _is_split(last, word):
            last = _one(last, word)
            continue
        if last is not None:
            yield last
        last = word
    if last is not None:
        yield last


def _is_split(left: Word, right: Word) -> bool:
    gap = right["box"][0] - left["box"][0] - left["box"][2]
    return (
        left["line"] == right["line"]
        and max(left["confidence"], right["confidence"]) < _SURE
        and bool(re.search(r"\d[.,]$", left["text"]))
        and right["text"][0].isdigit()
        and 0 <= gap < _SPLIT_GAP * right["box"][3]
    )


def _one(left: Word, right: Word) -> Word:
    (x, y, width, height), (right_x, right_y, right_width, right_height) = left["box"], right["box"]
    top, bottom = min(y, right_y), max(y + height, right_y + right_height)
    return {
        **left,
        "text": left["text"] + right["text"],
        "box": [x, top, max(x + width, right_x + right_width) - x, bottom - top],
        "confidence": min(left["confidence"], right["confidence"]),
    }


def _read_again(page: Image.Image, word: Word) -> Word:
    votes: dict[str, float] = defaultdict(float, {word["text"]: word["confidence"]})
    best: dict[str, float] = dict(votes)
    for text, confidence in _readings(page, word):
        votes[text] += confidence
        best[text] = max(best.get(text, 0.0), confidence)
    text = max(votes, key=votes.__getitem__)
    total = sum(votes.values())
    # A reading that others contradict is as doubtful as they are many.
    confidence = best[text] * votes[text] / total if total else 0.0
    return {**word, "text": text, "confidence": round(confidence, 3)}


def _readings(page: Image.Image, word: Word) -> Iterator[tuple[str, float]]:
    """Yield what is read as one word, and its confidence."""
    left, top, width, height = word["box"]
    reader = tesseract.reader(tesserocr.PSM.SINGLE_LINE)
    for margin in (share * height for share in _MARGINS):
        around = left - margin, top - margin, left + width + margin, top + height + margin
        part = page.crop(_within(around, page.size))
        for size in _SIZES:
            sides = round(part.width * size), round(part.height * size)
            if min(sides) < _SIDE_MIN:
                continue
            try:
                reader.SetImage(part.resize(sides, Image.Resampling.LANCZOS) if size != 1 else part)
                reader.SetSourceResolution(tesseract.DPI)
                text = reader.GetUTF8Text().strip().strip(tesseract.RULES)
                confidence = reader.MeanTextConf() / 100
            finally:
                reader.Clear()
            if text and len(text.split()) == 1:
                yield text, min(1.0, max(0.0, confidence))


def _within(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return max(0, round(left)), max(0, round(top)), min(size[0], round(right)), min(size[1], round(bottom))
