"""Draws tables and their foreign keys as one inline SVG, in the colours of the page around it.

Each table is to the right of all tables that it refers to. A foreign key leaves its table to the left, goes up or down
on a line of its target, the trunk, and enters the target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape

from plumbline.verification.introspection.facts import Column, Table

_WIDTH, _GAP_X, _GAP_Y = 160, 48, 22
_HEAD, _ROW, _PAD, _BAND = 26, 19, 6, 40
_TRUNK, _SLANT = 11, 5
"""Distance of trunks, and how much lower each column begins. Both keep lines apart."""
_LABEL = "Tables of both owners and the foreign keys between them"


@dataclass
class _Box:
    """A table and its place, in pixels."""

    table: Table
    owner: str
    layer: int
    x: int
    y: int
    trunk_x: int = 0

    @property
    def keys(self) -> list[Column]:
        return [column for column in self.table.columns if column.primary_key or column.references]

    @property
    def lines(self) -> list[str]:
        others = len(self.table.columns) - len(self.keys)
        return [column.name for column in self.keys] + ([f"and {others} more"] if others else [])

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.lines) + _PAD

    def line_y(self, number: int) -> int:
        return self.y + _HEAD + _ROW * number + _ROW // 2


def svg(owned: dict[str, list[Table]]) -> str:
    """Return the drawing as one HTML block. `owned` is owner to tables; the owners are drawn one below the other."""
    boxes, bands = _place(owned)
    width = max(box.x for box in boxes.values()) + _WIDTH + _GAP_X // 2
    height = max(bottom for _, bottom in bands.values())
    # Keys from one owner to the other are drawn last, on top of the others.
    keys = sorted(_keys(boxes), key=lambda key: "plumb-cross" in key)
    parts = [
        f'<div class="plumb-schema"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{_LABEL}">',
        *(_band(owner, top, bottom, width) for owner, (top, bottom) in bands.items()),
        *keys,
        *map(_draw, boxes.values()),
        "</svg></div>",
    ]
    return "\n".join(parts) + "\n"


def _place(owned: dict[str, list[Table]]) -> tuple[dict[str, _Box], dict[str, tuple[int, int]]]:
    """Return a box for each table, and top and bottom of each owner's band."""
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
            column = layer(table.name)
            y = filled.get(column, top + _BAND + column * _SLANT)
            box = _Box(table, owner, column, x=_GAP_X // 2 + column * (_WIDTH + _GAP_X), y=y)
            filled[column] = y + box.height + _GAP_Y
            boxes[table.name] = box
        bands[owner] = (top, max(filled.values()))
        top = bands[owner][1] + _GAP_Y
    trunks: Counter[int] = Counter()
    for name in dict.fromkeys(key.references.table for box in boxes.values() for key in box.keys if key.references):
        box = boxes[name]
        trunks[box.layer] += 1
        box.trunk_x = box.x + _WIDTH + trunks[box.layer] * _TRUNK
    return boxes, bands


def _band(owner: str, top: int, bottom: int, width: int) -> str:
    return (
        f'<rect class="plumb-band" x="0" y="{top}" width="{width}" height="{bottom - top}" rx="6"/>'
        f'<text class="plumb-text plumb-name" x="{width - _GAP_X // 2}" y="{top + 25}" '
        f'text-anchor="end">owned by {escape(owner)}</text>'
    )


def _keys(boxes: dict[str, _Box]) -> Iterator[str]:
    for box in boxes.values():
        for number, column in enumerate(box.keys):
            if column.references is None:
                continue
            target = boxes[column.references.table]
            end_x, end_y = target.x + _WIDTH, target.y + _HEAD // 2
            mark = " plumb-cross" if target.owner != box.owner else ""
            yield (
                f'<path class="plumb-key{mark}" d="M{box.x} {box.line_y(number)}H{target.trunk_x}V{end_y}H{end_x}"/>'
                f'<circle class="plumb-dot{mark}" cx="{end_x}" cy="{end_y}" r="3.5"/>'
            )


def _draw(box: _Box) -> str:
    texts = "".join(
        f'<text class="plumb-text{"" if number < len(box.keys) else " plumb-faint"}" x="{box.x + 10}" '
        f'y="{box.line_y(number) + 4}">{escape(line)}</text>'
        for number, line in enumerate(box.lines)
    )
    return (
        f'<rect class="plumb-box" x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="4"/>'
        f'<text class="plumb-text plumb-name" x="{box.x + 10}" y="{box.y + 18}">{escape(box.table.name)}</text>{texts}'
    )
