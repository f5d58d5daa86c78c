"""Where the page of a template lies on the page of a document: moved, scaled and turned, found by words that both have.

Points are complex numbers, x + iy, in widths of their page: a similarity is then z -> scale * z + shift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_processor.applying.words import Pair, PlacedWord, Rectangle, pairs

Complexes = NDArray[np.complex128]
Method = Literal["anchors", "position", "none"]

TURN_MAX = math.radians(16.5)
"""A page turned by more is not looked for, beside quarter turns."""
_SCALES = (0.4, 2.5)
_TOLERANCE = 0.01
"""How far a word may lie from where the transform puts it, in widths of the template's page: 6 points of A4."""
_INLIERS_MIN = 4
_CHANCE_MAX = 1e-6
"""Bound on how many such agreements are expected by chance."""
_SHARE_MIN = 0.3
"""Smallest share that agrees of the words that both pages have once: a few words of one line often agree by chance."""
_RIVAL = 0.75
"""A second place with this share of the agreement makes the first one doubtful."""
_BASELINE = 0.15
_HYPOTHESES = 3000
_REFINEMENTS = 5
_SIGMA_MIN = 0.0004


@dataclass(frozen=True, slots=True)
class Transform:
    """A similarity, from the units of the template's page to those of the document's."""

    scale: complex
    shift: complex

    def point(self, point: complex) -> complex:
        """Return where a point of the template is on the page."""
        return self.scale * point + self.shift

    def back(self, point: complex) -> complex:
        """Return where a point of the page is on the template."""
        return (point - self.shift) / self.scale

    def around(self, box: Rectangle) -> Rectangle:
        """Return the upright box around a box of the template, on the page."""
        corners = [
            self.point(complex(box.x + across * box.width, box.y + down * box.height))
            for across in (0, 1)
            for down in (0, 1)
        ]
        left, top = min(corner.real for corner in corners), min(corner.imag for corner in corners)
        right, bottom = max(corner.real for corner in corners), max(corner.imag for corner in corners)
        return Rectangle(left, top, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class Registration:
    """A transform, and how sure it is. `residual` is in the page's units; sizes of the fit are in the template's."""

    method: Method
    transform: Transform | None
    reason: str | None = None
    inliers: int = 0
    total: int = 0
    residual: float | None = None
    agreeing: frozenset[int] = frozenset()
    """The numbers of the template's words that are where the transform puts them."""
    elsewhere: frozenset[int] = frozenset()
    """Those that the page has, but at other places."""
    sigma: float = 0.0
    centre: complex = 0j
    spread: float = 0.0

    @property
    def needs_review(self) -> bool:
        """Whether a person has to look."""
        return self.reason is not None

    def error_at(self, point: complex) -> float:
        """Return the standard error of where a point of the template is put, in the template's units."""
        if not self.inliers:
            return 0.0
        return self.sigma * math.sqrt(1 / self.inliers + abs(point - self.centre) ** 2 / self.spread)


def by_position(reason: str) -> Registration:
    """Return the registration that takes boxes as they are, without having looked."""
    return Registration("position", Transform(1 + 0j, 0j), reason)


def stretched(template_size: tuple[float, float], page_size: tuple[float, float]) -> Transform:
    """Return the transform that puts the template's width on the page's."""
    return Transform(complex(page_size[0] / template_size[0]), 0j)


def register(
    anchors: Sequence[PlacedWord],
    template_size: tuple[float, float],
    words: Sequence[PlacedWord],
    page_size: tuple[float, float],
) -> Registration:
    """Find the template's page on a page by their words. The same input always has the same result."""
    matched = pairs(anchors, words)
    total = len({pair.anchor for pair in matched})
    if total < _INLIERS_MIN:
        reason = f"only {total} words of the template are on the page: at least {_INLIERS_MIN} are needed"
        return Registration("none", None, reason, total=total)
    fit = _Fit(anchors, template_size[0], words, page_size, matched)
    best = fit.best()
    if best is None:
        return Registration("none", None, "the words that the page shares with the template do not agree", total=total)
    scale, shift, agreement, rival = best
    scale, shift, inside, residuals = fit.refined(scale, shift)
    number = len(inside)
    possible = bool(_possible(np.array([scale]))[0]) and number >= _INLIERS_MIN
    sure = possible and fit.chance(number, total) <= _CHANCE_MAX and fit.share(inside) >= _SHARE_MIN
    if not sure:
        reason = f"only {number} of {total} shared words agree on where the page lies"
        return Registration("none", None, reason, number, total)
    ambiguous = rival >= _RIVAL * agreement
    width, page_width = template_size[0], page_size[0]
    points = fit.anchors[inside]
    centre = points.mean()
    spread = float((np.abs(points - centre) ** 2).sum())
    mean_square = float((residuals**2).sum()) / max(1, 2 * number - 4)
    sigma = max(math.sqrt(mean_square) / abs(scale), _SIGMA_MIN)
    agreeing = frozenset(matched[index].anchor for index in inside)
    return Registration(
        method="anchors",
        transform=Transform(scale * page_width / width, shift * page_width),
        reason="the template fits at several places of the page" if ambiguous else None,
        inliers=number,
        total=total,
        residual=round(math.sqrt(float((residuals**2).mean())) * page_width, 3),
        agreeing=agreeing,
        elsewhere=frozenset(pair.anchor for pair in matched) - agreeing,
        sigma=sigma * width,
        centre=complex(centre) * width,
        spread=spread * width**2,
    )


class _Fit:
    """The search for a similarity that many pairs agree with."""

    def __init__(
        self,
        anchors: Sequence[PlacedWord],
        width: float,
        words: Sequence[PlacedWord],
        page_size: tuple[float, float],
        matched: list[Pair],
    ) -> None:
        self.anchors: Complexes = np.array([anchors[pair.anchor].box.centre / width for pair in matched])
        self.words: Complexes = np.array([words[pair.word].box.centre / page_size[0] for pair in matched])
        self._matched = matched
        self._anchor_of = np.array([pair.anchor for pair in matched])
        self._word_of = np.array([pair.word for pair in matched])
        # The pairs are sorted by their anchor.
        self._starts = np.flatnonzero(np.diff(self._anchor_of, prepend=-1))
        self._area = page_size[1] / page_size[0]

    def best(self) -> tuple[complex, complex, float, float] | None:
        """Return scale and shift that agree best, how well, and how well the best at another place does."""
        one, other = self._couples()
        across, found = self.anchors[other] - self.anchors[one], self.words[other] - self.words[one]
        scales = found / across
        shifts = self.words[one] - scales * self.anchors[one]
        kept = _possible(scales)
        scales, shifts = scales[kept], shifts[kept]
        if not scales.size:
            return None
        agreement = self._agreement(scales, shifts)
        first = int(agreement.argmax())
        middle = self.anchors.mean()
        apart = np.abs((scales - scales[first]) * middle + shifts - shifts[first])
        turned = np.abs(scales - scales[first]) * float(np.abs(self.anchors - middle).mean())
        elsewhere = agreement[apart + turned > 4 * _TOLERANCE * abs(scales[first])]
        rival = float(elsewhere.max()) if elsewhere.size else 0.0
        return complex(scales[first]), complex(shifts[first]), float(agreement[first]), rival

    def refined(self, scale: complex, shift: complex) -> tuple[complex, complex, NDArray[Any], NDArray[Any]]:
        """Return the similarity of least squares, the pairs that agree with it, and their residuals."""
        inside, residuals = self._inside(scale, shift, _TOLERANCE)
        for _ in range(_REFINEMENTS):
            if len(inside) < 2:
                break
            points, targets = self.anchors[inside], self.words[inside]
            from_centre, to_centre = points - points.mean(), targets - targets.mean()
            weight = float((np.abs(from_centre) ** 2).sum())
            if weight <= 0:
                break
            scale = complex((from_centre.conj() * to_centre).sum() / weight)
            shift = complex(targets.mean() - scale * points.mean())
            inside, residuals = self._inside(scale, shift, _TOLERANCE)
        return scale, shift, inside, residuals

    def chance(self, inliers: int, total: int) -> float:
        """Return how many agreements of that many words are expected by chance, at most."""
        repeats = len(self._matched) / total
        hit = min(1.0, repeats * math.pi * _TOLERANCE**2 / (self._area / 2))
        log = 2 * math.log(len(self._matched)) + _log_choose(total - 2, inliers - 2) + (inliers - 2) * math.log(hit)
        return math.exp(min(log, 0.0))

    def share(self, inside: NDArray[Any]) -> float:
        """Return the share that is inside, of the words that both pages have once."""
        of_anchor, of_word = np.bincount(self._anchor_of), np.bincount(self._word_of)
        single = (of_anchor[self._anchor_of] == 1) & (of_word[self._word_of] == 1)
        return float(single[inside].sum() / single.sum()) if single.any() else 1.0

    def _couples(self) -> tuple[NDArray[Any], NDArray[Any]]:
        one, other = np.triu_indices(len(self._matched), 1)
        different = (self._anchor_of[one] != self._anchor_of[other]) & (self._word_of[one] != self._word_of[other])
        far = np.abs(self.anchors[one] - self.anchors[other]) >= _BASELINE
        kept = np.flatnonzero(different & far)
        if kept.size > _HYPOTHESES:
            # Seeded, so that the same page always has the same result.
            kept = np.random.default_rng(0).choice(kept, _HYPOTHESES, replace=False)
        return one[kept], other[kept]

    def _agreement(self, scales: Complexes, shifts: Complexes) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.empty(scales.size)
        for start in range(0, scales.size, 500):
            part = slice(start, start + 500)
            off = np.abs(scales[part, None] * self.anchors + shifts[part, None] - self.words)
            near = 1 - (off / (_TOLERANCE * np.abs(scales[part, None]))) ** 2
            found[part] = np.maximum.reduceat(np.maximum(near, 0), self._starts, axis=1).sum(axis=1)
        return found

    def _inside(self, scale: complex, shift: complex, tolerance: float) -> tuple[NDArray[Any], NDArray[Any]]:
        off = np.abs(scale * self.anchors + shift - self.words)
        order = np.argsort(off, kind="stable")
        order = order[off[order] <= tolerance * abs(scale)]
        # Each word counts once: with the nearest of its namesakes.
        anchors, words, kept = set(), set(), []
        for index in order.tolist():
            pair = self._matched[index]
            if pair.anchor not in anchors and pair.word not in words:
                anchors.add(pair.anchor)
                words.add(pair.word)
                kept.append(index)
        inside = np.array(sorted(kept), dtype=int)
        return inside, off[inside]


def _possible(scales: Complexes) -> NDArray[np.bool_]:
    size = np.abs(scales)
    quarter = math.pi / 2
    turn = np.abs((np.angle(scales) + quarter / 2) % quarter - quarter / 2)
    kept: NDArray[np.bool_] = (size >= _SCALES[0]) & (size <= _SCALES[1]) & (turn <= TURN_MAX)
    return kept


def _log_choose(several: int, some: int) -> float:
    return math.lgamma(several + 1) - math.lgamma(some + 1) - math.lgamma(several - some + 1)
