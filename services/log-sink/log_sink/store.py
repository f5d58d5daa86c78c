"""The recorder in Redis: one script writes, counts and reads."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, NamedTuple

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from servicekit.facts import FAULTS_FOLDED_S, FAULTS_KEPT, LOG_CAP, LOG_STREAM, OPERATORS_KEY
from servicekit.log.faults import GROUPS

from log_sink import entries
from log_sink.buffer import Batch, Cell, Raw

logger = logging.getLogger(__name__)

COUNTERS = f"{LOG_STREAM}:counters"
LISTENED = f"{LOG_STREAM}:listened"
"""When a sink last listened, in seconds since 1970."""
_SCRIPT = resources.files(__package__).joinpath("recorder.lua").read_text()
_BATCH_MEMORY_S = 24 * 3600
ANSWER_WITHIN_S = 0.8
"""Time limit of one Redis call; with one reconnect every request takes less than two seconds."""


class Kept(NamedTuple):
    """One entry of the stream. `epoch` and `sequence` are the two halves of its id.

    For counted faults: their kind, their number, and the id of the entry that this one replaces.
    """

    epoch: int
    sequence: int
    entry: bytes
    kind: str = ""
    times: int = 1
    replaces: str = ""

    @property
    def id(self) -> str:
        """The id in the stream and on the wire."""
        return f"{self.epoch}-{self.sequence}"

    def as_dict(self) -> dict[str, Any]:
        """The entry as the API shows it."""
        entry = {"id": self.id, **orjson.loads(self.entry)}
        if self.kind:
            entry |= {"kind": self.kind, "count": self.times}
        if self.replaces:
            entry["replaces"] = self.replaces
        return entry

    @property
    def group(self) -> str:
        """The group of faults; empty for all other entries."""
        return self.kind.partition(".")[0]


@dataclass(frozen=True)
class Stats:
    """Counts since the recorder was last empty. For each service and level, received = kept + superseded + dropped."""

    epoch: int
    """Start of the counts, in milliseconds since 1970."""
    cells: dict[tuple[str, str], dict[str, int]]

    @property
    def since(self) -> str:
        """Start of the counts, in ISO 8601."""
        return iso(self.epoch)

    def as_dict(self) -> dict[str, Any]:
        """The body of GET /logs/stats."""
        return {
            "since": self.since,
            **self._sum(list(self.cells.values())),
            "by_service": self._by(0),
            "by_level": self._by(1),
        }

    def _by(self, part: int) -> dict[str, dict[str, int]]:
        names = sorted({cell[part] for cell in self.cells})
        return {name: self._sum([c for cell, c in self.cells.items() if cell[part] == name]) for name in names}

    @staticmethod
    def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
        return {kind: sum(count.get(kind, 0) for count in counts) for kind in KINDS}


KINDS = ("received", "kept", "superseded", "dropped")


def connect(url: str, password: CredentialProvider, answer_within_s: float = ANSWER_WITHIN_S) -> Redis:
    """Return a client whose calls end within `answer_within_s` seconds, plus one reconnect."""
    return Redis.from_url(
        url,
        credential_provider=password,
        socket_timeout=answer_within_s,
        socket_connect_timeout=answer_within_s,
        # Retry once on a pooled connection that a restart of Redis closed, but not on a slow Redis.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


def why_unusable(error: Exception) -> str:
    """Return a short reason why Redis could not be used."""
    if isinstance(error, AuthenticationError):
        return "Redis refuses the password: the file of PLUMBLINE_REDIS_PASSWORD_FILE has a different one"
    return f"Redis does not answer ({error.__class__.__name__})"


def iso(milliseconds: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """Reads and writes one recorder. Every method raises redis.exceptions.RedisError while Redis is away."""

    def __init__(self, redis: Redis, folded_s: float = FAULTS_FOLDED_S) -> None:
        self._folding = [FAULTS_KEPT, int(folded_s * 1000)]
        self._redis = redis
        self._script = redis.register_script(_SCRIPT)
        self._last_batch_key = f"{LOG_STREAM}:sink:{uuid.uuid4().hex}"
        self._batch = 0

    async def ping(self) -> None:
        """Return if Redis answers."""
        await self._redis.ping()

    async def note_listening(self) -> float | None:
        """Store that a sink is listening; return the seconds since one last did, or None if none did."""
        now = time.time()
        before = await self._redis.set(LISTENED, f"{now:.3f}", ex=_BATCH_MEMORY_S, get=True)
        return None if before is None else now - float(before)

    async def operators(self) -> object:
        """Return a value that changes when an operator's session may have ended."""
        return await self._redis.get(OPERATORS_KEY)

    def prepare(self, batch: Batch) -> list[Any]:
        """Return the arguments of the command that writes `batch`. They may be sent repeatedly."""
        self._batch += 1
        superseded = batch.superseded()
        cells = sorted(batch.arrived.keys() | batch.dropped.keys())
        args: list[Any] = [
            "write",
            *self._folding,
            LOG_CAP,
            self._batch,
            _BATCH_MEMORY_S,
            len(cells),
            len(batch.faults),
        ]
        for cell in cells:
            dropped = batch.dropped[cell]
            args += [*cell, batch.arrived[cell] + dropped, superseded[cell], dropped]
        for (cell, kind), some in batch.faults.items():
            args += [*cell, kind, some.count, _built(cell, some.raw)]
        for cell, raw in batch.entries:
            args += [*cell, _built(cell, raw)]
        return args

    async def write(self, prepared: list[Any]) -> None:
        """Write a prepared batch. Safe to repeat: a batch that was written before is not counted again."""
        await self._script(keys=[LOG_STREAM, COUNTERS, self._last_batch_key], args=prepared)

    async def close_windows(self) -> None:
        """Write the final count of faults whose window is over."""
        await self._script(keys=[LOG_STREAM, COUNTERS], args=["close", *self._folding])

    async def stats(self) -> Stats:
        """Return the counts."""
        return (await self._run("stats"))[0]

    async def read(self) -> tuple[Stats, list[Kept]]:
        """Return the counts and all kept entries, newest first, from one atomic read."""
        return await self._run("read")

    async def _run(self, what: str) -> tuple[Stats, list[Kept]]:
        flat, kept, items = await self._script(keys=[LOG_STREAM, COUNTERS], args=[what])
        cells: dict[tuple[str, str], dict[str, int]] = {}
        epoch = 0
        counts: dict[str, int] = {}
        for name, value in _pairs(flat):
            if name == "since":
                epoch = int(value)
            elif name.startswith("open|"):
                _, entry_id, _, count = value.decode().split(" ")
                counts[entry_id] = int(count)
            elif name.startswith(KINDS):
                kind, service, level = name.split("|")
                cells.setdefault((service, level), {})[kind] = int(value)
        for name, value in _pairs(kept):
            service, level = name.split("|")
            cells.setdefault((service, level), {})["kept"] = int(value)
        kept_now = [_kept(item) for item in items]
        return Stats(epoch, cells), [one._replace(times=counts.get(one.id, one.times)) for one in kept_now]

    async def after(self, last_id: str, wait_ms: int) -> list[Kept]:
        """Return the entries newer than `last_id`, oldest first; wait up to `wait_ms` if there are none."""
        answer = await self._redis.xread({LOG_STREAM: last_id}, count=LOG_CAP, block=wait_ms)
        return [_kept(item) for _, items in _streams(answer) for item in items]


def _built(cell: Cell, raw: Raw) -> bytes:
    try:
        return entries.build(raw, *cell)
    except Exception:
        # One entry that fails must not block the others of the batch.
        logger.exception("an entry from %s could not be built", cell.service)
        return entries.build({"message": "This entry could not be built; the log-sink's log has the cause."}, *cell)


def _streams(answer: Any) -> list[tuple[bytes, list[Any]]]:
    if isinstance(answer, dict):
        # RESP3 returns a mapping of stream to a list of lists of entries.
        return [(name, [item for chunk in chunks for item in chunk]) for name, chunks in answer.items()]
    return answer or []


def _kept(item: tuple[bytes, dict[bytes, bytes] | list[bytes]]) -> Kept:
    identity, values = item
    epoch, sequence = identity.split(b"-")
    # Scripts return names and values in one list, commands a mapping.
    pairs = values if isinstance(values, dict) else dict(zip(values[::2], values[1::2], strict=True))
    about = {name: pairs[name.encode()].decode() for name in ("kind", "replaces") if name.encode() in pairs}
    return Kept(int(epoch), int(sequence), pairs.get(b"entry", b"{}"), times=int(pairs.get(b"count", 1)), **about)


def newest_of(entries: Iterable[Kept]) -> list[Kept]:
    """Return the entries that the recorder keeps, in order of arrival, by the rules of `recorder.lua`."""
    newest, left = [], Counter(dict.fromkeys(GROUPS, FAULTS_KEPT))
    replaced: set[str] = set()
    for one in reversed(list(entries)):
        group = one.group
        if one.id in replaced or (group and left[group] <= 0):
            continue
        left[group] -= 1
        replaced.add(one.replaces)
        newest.append(one)
    return newest[LOG_CAP - 1 :: -1]


def _pairs(flat: Any) -> list[tuple[str, bytes]]:
    if isinstance(flat, dict):
        return [(name.decode(), value) for name, value in flat.items()]
    return [(name.decode(), value) for name, value in zip(flat[::2], flat[1::2], strict=True)]
