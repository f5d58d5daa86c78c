"""Faults between a warning and the operator who reads it."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

_SINK = "services/log-sink/log_sink"
_KIT = "services/servicekit/servicekit"
_LUA = f"{_SINK}/recorder.lua"
_FACTS = f"{_KIT}/facts.py"
_FILTERS = f"{_SINK}/filters.py"
_CADDYS = f"{_SINK}/caddy.py"
_REDIS = "docker/redis/redis.conf"
_RIGHTS = "docker/redis/redis.sh"

AREA = Area(
    "log path",
    modules=("logs/test_cap.py", "logs/test_recorded.py", "logs/test_redaction.py", "smoke/test_health.py"),
    faults=(
        Fault("cap-of-another-size", "the recorder keeps 190 entries",
              Patch(_FACTS, "LOG_CAP = 200", "LOG_CAP = 190"),
              {"logs/test_cap.py::test_after_a_burst_the_stream_has_the_newest_entries_in_order": "assert"}),
        Fault("oldest-first", "the recorder shows the oldest entries first",
              Patch(_LUA, "redis.call('XREVRANGE', stream, '+', '-')\n  for", "redis.call('XRANGE', stream, '-', '+')\n  for"),
              {"logs/test_filters.py::test_a_limit_returns_the_newest_entries": "newest"}),
        Fault("superseded-not-counted", "entries that give way are not counted",
              Patch(_LUA, "      count('superseded', cell, gone)\n", "      count('dropped', cell, 0)\n"),
              {"logs/test_cap.py::test_the_counters_balance_after_a_burst": "assert"},
              only=True,
        ),
        Fault("filter-by-level-passes-all", "the filter by level lets every entry through",
              Patch(_FILTERS, 'if self.levels and entry.get("level") not in self.levels:',
                    'if self.levels and entry.get("level") is None:'),
              {"logs/test_filters.py::test_a_filter_lets_through_exactly_what_it_names[level]": "lets others through"}),
        Fault("filter-by-request-passes-all", "the filter by request id lets every entry through",
              Patch(_FILTERS, 'if self.request_id and entry.get("request_id") != self.request_id:',
                    'if self.request_id and entry.get("message") is None:'),
              {"logs/test_filters.py::test_a_filter_lets_through_exactly_what_it_names[request id]": "lets others through", "logs/test_recorded.py::test_the_api_shows_entries_of_the_stream": "=="}),
        Fault("search-finds-nothing-in-fields", "the search does not look at the fields of entries",
              Patch(_FILTERS, '    yield from _texts(entry.get("fields"))\n', '    yield from _texts(None)\n'),
              {"logs/test_filters.py::test_texts_are_found_wherever_an_entry_has_them": "a search reads no fields"}),
        Fault("limit-of-entries-ignored", "the recorder answers with all entries and ignores the limit",
              Patch(f"{_SINK}/api.py", '"items": items[: wanted.limit]', '"items": items'),
              {"logs/test_filters.py::test_a_limit_returns_the_newest_entries[1]": "assert"}),
        Fault("wrong-filters-ignored", "a filter that is not known is ignored",
              Patch(_FILTERS, "    if errors:\n        raise BadQueryError(errors)\n", "    errors.clear()\n"),
              {"logs/test_filters.py::test_a_wrong_filter_is_refused_and_named": "expected 422"}),
        Fault("closed-tails-kept", "a live tail that its reader closes is an entry",
              Patch(_CADDYS, 'r"context canceled$|', 'r"context cancelled$|'),
              {"logs/test_access.py::test_closing_a_live_tail_leaves_no_entry": "http.handlers.reverse_proxy"}),
        Fault("request-id-lost", "entries do not say which request they are about",
              Patch(f"{_KIT}/log/entries.py", '"request_id": request_id if _is_request_id(request_id) else None',
                    '"request_id": None'),
              {"logs/test_recorded.py::test_a_forged_token_is_logged_as_a_warning": "None", "logs/test_recorded.py::test_the_api_shows_entries_of_the_stream": "None"}),
        Fault("passwords-not-redacted", "passwords in entries are not taken out",
              Patch(f"{_KIT}/log/redact.py", "    parts, done = [], 0\n    for start in sorted(starts):",
                    "    parts, done = [], 0\n    for start in sorted(starts)[len(starts) :]:"),
              {"logs/test_redaction.py::test_entries_of_a_service_are_redacted": "[redacted]", "logs/test_own_logs.py::test_no_log_has_a_secret_of_a_request": "== []"}),
        Fault("sink-answers-strangers", "the log-sink answers requests that did not come through Caddy",
              Patch(f"{_SINK}/app.py", '        if self._secret.admits(scope["path"], None if shown is None else '
                    'shown.encode("latin-1")):', "        if shown or self._secret:"),
              {"smoke/test_isolation.py::test_services_need_the_internal_secret": "expected 403, got 200", "smoke/test_isolation.py::test_other_local_users_cannot_send_log_entries": "log-sink", "smoke/test_isolation.py::test_forged_datagrams_are_counted_and_not_shown": "== []"}),
        Fault("forged-datagrams-kept", "any program of the machine can hand in entries as Caddy's",
              Patch(f"{_SINK}/udp.py", "    return datagram[: found.start()] + datagram[found.end() :] if secret.matches("
                    "shown) else None", "    return datagram[: found.start()] + datagram[found.end() :]"),
              {"smoke/test_isolation.py::test_forged_datagrams_are_counted_and_not_shown": "forged"}),
        Fault("tail-skips-entries", "the live tail leaves every entry out that came while it was away",
              Patch(f"{_SINK}/tail.py", "position = Position.parse(after.strip()) if after else hub.newest()",
                    "position = hub.newest()"),
              {"logs/test_follow.py::test_follow_yields_kept_and_then_new_entries": "Empty"}),
        Fault("tail-ignores-filter", "the live tail shows entries that were not asked for",
              Patch(f"{_SINK}/tail.py", "            if self._wanted.matches(entry):", "            if entry:"),
              {"logs/test_filters.py::test_the_live_tail_has_the_same_filters": "=="}),
        Fault("redis-appends", "Redis appends every change to a file",
              Patch(_REDIS, "appendonly no\n", "appendonly yes\nappenddirname redis-aof\n"),
              {"start": "redis ended while it was being waited for"}),
        Fault("redis-memory-unbounded", "Redis may take all memory of the machine",
              Patch(_REDIS, "maxmemory 128mb\n", "maxmemory 0\n"),
              {"smoke/test_stores.py::test_redis_writes_nothing_to_disk_and_limits_its_memory": "redis: maxmemory is 0"}),
        Fault("redis-evicts", "Redis throws keys away when its memory is full",
              Patch(_REDIS, "maxmemory-policy noeviction", "maxmemory-policy allkeys-lru"),
              {"smoke/test_stores.py::test_redis_writes_nothing_to_disk_and_limits_its_memory": "redis: maxmemory_policy is allkeys-lru"}),
        Fault("redis-without-password", "Redis accepts every local user",
              Patch(_RIGHTS, "user default on #${hash%% *} resetkeys", "user default on nopass resetkeys"),
              {"smoke/test_isolation.py::test_redis_refuses_other_local_users": "DID NOT RAISE"}),
        Fault("redis-rights-too-wide", "the services may administer Redis",
              Patch(_RIGHTS, "+@connection -@admin -@dangerous", "+@connection +@admin +@dangerous"),
              {"smoke/test_isolation.py::test_services_cannot_administer_redis": "DID NOT RAISE"}),
    ),
)  # fmt: skip
