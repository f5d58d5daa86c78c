"""Recognises repeated batches: a forwarder that got no answer in time sends the same one again."""

from __future__ import annotations

import re
from collections import OrderedDict

SENDERS_MAX = 256
_BATCH = re.compile(r"(?P<sender>[0-9a-f]{32})-(?P<number>[0-9]{1,15})")


class Senders:
    """The number of the last batch of each of the `SENDERS_MAX` most recent forwarders."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()

    def is_repeated(self, batch: str) -> bool:
        """Return whether the batch `<forwarder>-<number>` arrived before, and remember it. False without a name."""
        match = _BATCH.fullmatch(batch)
        if match is None:
            return False
        sender, number = match["sender"], int(match["number"])
        repeated = number <= self._last.get(sender, -1)
        if not repeated:
            self._last[sender] = number
        self._last.move_to_end(sender)
        while len(self._last) > SENDERS_MAX:
            self._last.popitem(last=False)
        return repeated
