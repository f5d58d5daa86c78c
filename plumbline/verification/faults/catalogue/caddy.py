"""Faults of the front door."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

_FILE = "docker/caddy/Caddyfile"


def _edit(old: str, new: str) -> Patch:
    return Patch(_FILE, old, new)


AREA = Area(
    "Caddy",
    modules=("smoke/test_answers.py", "smoke/test_health.py", "smoke/test_websocket.py", "logs/test_recorded.py"),
    faults=(
        Fault("front-door-on-all-addresses", "the front door listens on every address of the machine",
                _edit("bind {$PLUMBLINE_FRONT_HOST:127.0.0.1}", "bind 0.0.0.0"), {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "caddy: its port front listens on tcp"}),
        Fault("internal-listener-on-all-addresses", "the internal listener is open to the network",
                _edit("bind {$PLUMBLINE_INTERNAL_HOST:127.0.0.1}", "bind 0.0.0.0"), {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "caddy: its port internal listens on tcp"}),
        Fault("admin-endpoint-on", "any account of the machine can change Caddy's configuration",
                _edit("\tadmin off\n", "\tadmin 127.0.0.1:0\n"), {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "which is not declared"}),
        Fault("nosniff-missing", "browsers may guess what an answer is",
                _edit("\t\tX-Content-Type-Options nosniff\n\t\t-Server\n", "\t\t-Server\n"), {"smoke/test_answers.py::test_answers_without_a_session_have_nosniff[/]": "x-content-type-options", "smoke/test_answers.py::test_answers_without_a_session_have_nosniff[/logs]": "x-content-type-options"}),
        Fault("server-header-shown", "answers tell which server they come from",
                _edit("\t\tX-Content-Type-Options nosniff\n\t\t-Server\n", "\t\tX-Content-Type-Options nosniff\n"), {'smoke/test_exact_answers.py::test_headers_of_every_kind_of_answer_are_exact': "'Server'"}),
        Fault("service-header-shown", "answers carry a header that tells the way they took",
                _edit("\t\tX-Request-Id {http.request.uuid}\n\t\t# Browsers", "\t\tX-Request-Id {http.request.uuid}\n\t\tX-Upstream "
                      "{http.reverse_proxy.upstream.hostport}\n\t\t# Browsers"), {"smoke/test_exact_answers.py::test_headers_of_every_kind_of_answer_are_exact": "X-Upstream"}),
        Fault("errors-may-be-cached", "Caddy's own refusals may be kept by caches",
                _edit("\t\theader Cache-Control no-store\n", "\t\theader Cache-Control max-age=60\n"), {"smoke/test_answers.py::test_answers_to_sessions_have_no_store_and_nosniff": "no-store"}),
        Fault("errors-of-another-type", "Caddy's own refusals are no problem documents",
                _edit("\t\theader Content-Type application/problem+json\n\t\theader Cache",
                      "\t\theader Content-Type text/plain\n\t\theader Cache"), {"smoke/test_health.py::test_an_unknown_path_gets_a_problem_document": "text/plain", "smoke/test_answers.py::test_a_body_that_is_too_large_fails_no_other_request": "text/plain"}),
        Fault("errors-without-request-id", "Caddy's own refusals do not say which request they are about",
                _edit("\t\theader X-Request-Id {http.request.uuid}\n\t\theader X-Content", "\t\theader X-Content"), {"smoke/test_health.py::test_an_unknown_path_gets_a_problem_document": "x-request-id", "smoke/test_answers.py::test_a_body_that_is_too_large_fails_no_other_request": "x-request-id"}),
        Fault("recorder-open-to-everybody", "the recorder opens without a session",
                _edit("@recorder_open path /logs/health /logs/health/* /logs/login /logs/assets/*",
                      "@recorder_open path /logs/*"), {"logs/test_access.py::test_only_operators_can_read": "/logs/entries: expected 401, got 200", "logs/test_access.py::test_headers_cannot_claim_to_be_an_operator": "X-Operator", "smoke/test_accounts.py::test_requests_without_a_valid_session_are_refused": "/logs/entries: expected 401, got 200", "smoke/test_answers.py::test_answers_to_sessions_have_no_store_and_nosniff": "200 != 403"}),
        Fault("stats-open-to-everybody", "the recorder's counts are shown without a session",
                _edit("path /logs/health /logs/health/* /logs/login", "path /logs/health /logs/health/* /logs/stats /logs/login"),
                {"logs/test_access.py::test_only_operators_can_read": "/logs/stats: expected 401, got 200"}),
        Fault("ingest-at-front-door", "log entries can be handed in at the front door",
                Patch(_FILE, "@recorder_open path /logs/health /logs/health/* /logs/login",
                      "@recorder_open path /ingest /logs/health /logs/health/* /logs/login"), {"logs/test_access.py::test_entries_cannot_be_sent_through_the_front_door": "/ingest"}),
        Fault("internal-listener-passes-on", "the internal listener leads to the backend",
                _edit("\thandle {\n\t\trespond 404\n\t}", "\thandle {\n\t\treverse_proxy {$PLUMBLINE_BACKEND}\n\t}"), {"smoke/test_isolation.py::test_other_local_users_cannot_send_log_entries": "404"}),
        Fault("refused-bodies-keep-connection", "a connection stays open after a refused body",
                _edit("\t\thandle @large {\n", "\t\thandle @large {\n\t\t\theader >Connection keep-alive\n"), {"smoke/test_answers.py::test_a_body_that_is_too_large_fails_no_other_request": "keep-alive"}),
        Fault("failed-requests-not-recorded", "requests that Caddy could not serve leave no entry",
                _edit("\t\tlevel WARN\n", "\t\tlevel PANIC\n"), {"logs/test_recorded.py::test_a_stopped_service_is_logged_as_an_error_by_caddy[backend]": "502 of Caddy"}),
        Fault("queries-in-caddys-log", "Caddy's own log holds what follows the path of an address",
                _edit('\t\t\t\trequest>uri regexp "(?s)^(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?([^?#]{0,1000})[^?#]*([?#]?).*$" '
                      '"$1$2"\n\t\t\t\trequest>host regexp "(?s)^.*@" ""\n\t\t\t}\n\t\t}\n\t\tlevel INFO',
                      "\t\t\t}\n\t\t}\n\t\tlevel INFO"), {"logs/test_own_logs.py::test_no_log_has_a_secret_of_a_request": "caddy"}),
        Fault("headers-in-caddys-log", "Caddy's own log holds the headers of requests",
                _edit("\t\t\t\trequest>headers delete\n\t\t\t\tresp_headers delete\n\t\t\t\t# Only the path",
                      "\t\t\t\tresp_headers delete\n\t\t\t\t# Only the path"), {"logs/test_own_logs.py::test_no_log_has_a_secret_of_a_request": "caddy: X-Api-Key"}),
        Fault("queries-in-recorded-entries", "entries of Caddy hold what follows the path of an address",
                _edit('\t\t\t\t\trequest>uri regexp "(?s)^(?:[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*)?([^?#]{0,1000})[^?#]*([?#]?).*$" '
                      '"$1$2"\n', ""), {"logs/test_redaction.py::test_entries_of_caddy_are_redacted": "/channels/?"}),
        Fault("sockets-lead-nowhere", "no socket can be opened",
                _edit("/channels/* /ws/* /openapi.json", "/channels/* /openapi.json"), {"smoke/test_websocket.py::test_the_cookie_opens_the_socket": "404"}, only=True),
        Fault("recorder-does-not-open-without-backend", "the recorder stays closed while the backend is away",
                _edit("forward_auth {$PLUMBLINE_BACKEND} {$PLUMBLINE_DATA_PROCESSOR} {", "forward_auth {$PLUMBLINE_BACKEND} {"),
                {"logs/test_access.py::test_only_operators_can_read_while_the_backend_is_away": "502 == 200"}),
        Fault("large-headers-taken", "Caddy reads headers of any size",
                _edit("max_header_size 32KiB", "max_header_size 8MiB"), {"smoke/test_limits.py::test_headers_may_have_so_many_bytes_and_no_more": "431"}),
    ),
)  # fmt: skip
