"""Draws tables and their foreign keys as one inline SVG, in the colours of the page around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html import escape

from plumbline.verification.introspection.facts import Column, Table

_WIDTH, _GAP_X, _GAP_Y = 160, 48, 22
_HEAD, _ROW, _PAD, _BAND = 26, 19, 6, 40
_TRUNK, _SLANT = 11, 5
"""Between the upright lines beside a layer, and how much lower each layer begins: lines do not fall on each other."""

_LABEL = "Tables of both owners and the foreign keys between them"
_STYLE = (
    ".plumb-box{fill:var(--md-default-bg-color,#fff);stroke:var(--md-default-fg-color--light,#777)}"
    ".plumb-band{fill:var(--md-code-bg-color,#f5f5f5)}"
    ".plumb-text{fill:var(--md-default-fg-color,#222);font:12px var(--md-code-font-family,monospace)}"
    ".plumb-name{font-weight:bold;font-size:13px}.plumb-faint{opacity:.6}"
    ".plumb-key{fill:none;stroke-linejoin:round;stroke:var(--md-default-fg-color--light,#777);stroke-width:1.2}"
    ".plumb-cross{stroke:var(--md-accent-fg-color,#c2410c);stroke-width:1.8}"
    ".plumb-dot{fill:var(--md-default-fg-color--light,#777)}"
    ".plumb-dot.plumb-cross{stroke:none;fill:var(--md-accent-fg-color,#c2410c)}"
)


@dataclass
class _Box:
    """A table with its place, in pixels of the drawing. `lines` are the columns that take part in a key."""

    table: Table
    owner: str
    layer: int
    x: int = 0
    y: int = 0
    trunk_x: int = 0
    lines: list[Column] = field(default_factory=list)

    @property
    def height(self) -> int:
        return _HEAD + _ROW * (len(self.lines) + (self.others > 0)) + _PAD

    @property
    def others(self) -> int:
        return len(self.table.columns) - len(self.lines)

    def line_y(self, column: Column) -> int:
        return self.y + _HEAD + _ROW * self.lines.index(column) + _ROW // 2


def svg(owned: dict[str, list[Table]]) -> str:
    """Return the drawing as one HTML block. `owned` is owner to tables; owners lie one below the other."""
    boxes, bands, height = _place(owned)
    width = max(box.x for box in boxes.values()) + _WIDTH + _GAP_X // 2
    parts = [
        f'<div class="plumb-schema"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{_LABEL}">',
        f"<style>{_STYLE}</style>",
        *(_band(owner, top, bottom, width) for owner, (top, bottom) in bands.items()),
        *_keys(boxes, crossing=False),
        *_keys(boxes, crossing=True),
        *(_draw(box) for box in boxes.values()),
        "</svg></div>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _place(owned: dict[str, list[Table]]) -> tuple[dict[str, _Box], dict[str, tuple[int, int]], int]:
    """Put each table to the right of all that it refers to."""
    tables = {table.name: table for group in owned.values() for table in group}

    @cache
    def layer(name: str) -> int:
        targets = {one.references.table for one in tables[name].columns if one.references} - {name}
        return 1 + max(map(layer, targets), default=-1)

    boxes: dict[str, _Box] = {}
    bands: dict[str, tuple[int, int]] = {}
    top = 0
    for owner, group in owned.items():
        filled: dict[int, int] = {}
        for table in group:
            keys = [column for column in table.columns if column.primary_key or column.references]
            box = _Box(table, owner, layer(table.name), lines=keys)
            box.x = _GAP_X // 2 + box.layer * (_WIDTH + _GAP_X)
            box.y = filled.get(box.layer, top + _BAND + box.layer * _SLANT)
            filled[box.layer] = box.y + box.height + _GAP_Y
            boxes[table.name] = box
        bottom = max(filled.values())
        bands[owner] = (top, bottom)
        top = bottom + _GAP_Y
    _give_trunks(boxes)
    return boxes, bands, top - _GAP_Y


def _give_trunks(boxes: dict[str, _Box]) -> None:
    """Give every table that is referred to an upright line of its own, to the right of its layer."""
    taken: Counter[int] = Counter()
    for name in dict.fromkeys(one.references.table for box in boxes.values() for one in box.lines if one.references):
        box = boxes[name]
        taken[box.layer] += 1
        box.trunk_x = box.x + _WIDTH + taken[box.layer] * _TRUNK


def _band(owner: str, top: int, bottom: int, width: int) -> str:
    return (
        f'<rect class="plumb-band" x="0" y="{top}" width="{width}" height="{bottom - top}" rx="6"/>'
        f'<text class="plumb-text plumb-name" x="{width - _GAP_X // 2}" y="{top + 25}" '
        f'text-anchor="end">owned by {escape(owner)}</text>'
    )


def _keys(boxes: dict[str, _Box], *, crossing: bool) -> Iterator[str]:
    """Draw the foreign keys: from the column to the left, up or down a line that is its target's own, and into it."""
    for box in boxes.values():
        for column in box.lines:
            if column.references is None:
                continue
            target = boxes[column.references.table]
            if (target.owner != box.owner) != crossing:
                continue
            end_x, end_y = target.x + _WIDTH, target.y + _HEAD // 2
            mark = " plumb-cross" if crossing else ""
            yield (
                f'<path class="plumb-key{mark}" d="M{box.x} {box.line_y(column)}H{target.trunk_x}V{end_y}H{end_x}"/>'
                f'<circle class="plumb-dot{mark}" cx="{end_x}" cy="{end_y}" r="3.5"/>'
            )


def _draw(box: _Box) -> str:
    x = box.x + 10
    texts = [(column.name, box.line_y(column), "") for column in box.lines]
    if box.others:
        texts.append((f"and {box.others} more", box.y + _HEAD + _ROW * len(box.lines) + _ROW // 2, " plumb-faint"))
    return (
        f'<rect class="plumb-box" x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="4"/>'
        f'<text class="plumb-text plumb-name" x="{x}" y="{box.y + 18}">{escape(box.table.name)}</text>'
        + "".join(
            f'<text class="plumb-text{mark}" x="{x}" y="{y + 4}">{escape(text)}</text>' for text, y, mark in texts
        )
    )
