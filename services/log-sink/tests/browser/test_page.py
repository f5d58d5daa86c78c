"""The operator's page in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from servicekit.facts import LOG_CAP

from plumbline.verification.checks import browser
from plumbline.verification.throwaway import RedisServer, wait_until

pytestmark = pytest.mark.browser

Make = Callable[..., dict[str, Any]]
NewPage = Callable[..., Any]
TRACEBACK = (
    'Traceback (most recent call last):\n  File "measure.py", line 41, in measure\nOSError: cannot identify image'
)


def shown(page: Any) -> list[str]:
    return page.locator("li.entry .row .message").all_text_contents()


def holds(page: Any, condition: str) -> None:
    # Polled by time: a busy machine renders few frames.
    page.wait_for_function(condition, polling=50)


def wait_for_rows(page: Any, count: int) -> None:
    holds(page, f"() => document.querySelectorAll('li.entry').length === {count}")


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_each_filter_has_a_visible_label(open_page: Callable[..., Any], width: int) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    for name in ("Service", "Request id", "Text"):
        box = page.locator("#filters .field > span", has_text=name).bounding_box()
        assert box["width"] > 15, f"{width} px: the label {name} is hidden: {box}"
        assert box["height"] > 8, f"{width} px: the label {name} is hidden: {box}"
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


def a_bad_day(entry: Make) -> list[dict[str, Any]]:
    login = {"logger": "backend.auth", "fields": {"username": "alice", "remote_ip": "10.0.0.7"}}
    upload = {"service": "data-processor", "level": "error", "logger": "data_processor.documents"}
    day: list[dict[str, Any]] = []
    for turn in range(12):
        request = f"{turn:04d}c0ffee{turn:022d}"
        day += [entry(f"login refused for 'alice' (attempt {turn})", request_id=request, **login)] * 2
        day += [entry("upload failed: no image that can be read", exception=TRACEBACK, request_id=request, **upload)]
        day += [entry("502 GET /channels/ — connection refused", service="caddy", level="error", request_id=request)]
    day += [entry("Postgres has been away for 60 s", level="critical", exception=TRACEBACK)]
    return day


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("desktop", {}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 360, "height": 780}, "device_scale_factor": 2, "is_mobile": True}),
    ],
)
def test_a_bad_day(sink: Any, open_page: Any, keep: Any, entry: Make, name: str, options: dict[str, Any]) -> None:
    day = a_bad_day(entry)
    sink.post(*day, headers={"Plumbline-Dropped": "backend;level=warning;count=37"})
    wait_until(lambda: sink.stats()["kept"] == len(day), "the day is in")
    page = open_page(**options)
    wait_for_rows(page, len(day))
    assert shown(page)[0] == "Postgres has been away for 60 s"
    assert "last error" in page.text_content("#last-error")
    assert "37 entries were dropped" in page.text_content("#alarm")
    assert page.text_content("#count-kept") == str(len(day))
    assert page.locator("#picture svg").get_attribute("aria-label").startswith("Kept entries: backend 24 warning")
    keep(page, name)
    page.locator("li.entry .row").first.click()
    assert page.text_content(".exception") == TRACEBACK
    keep(page, f"{name}-open")
    width = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width[0] <= width[1], "the page scrolls sideways"


def test_live_without_gap_or_repeat_across_an_interruption(
    start_sink: Any, sink: Any, open_page: Any, entry: Make
) -> None:
    other = start_sink()
    # Without the sink's own entries after a restart.
    page = open_page("/logs/?service=backend")
    sink.post(entry("one"))
    wait_for_rows(page, 1)
    for turn in range(2):
        sink.stop()
        page.wait_for_selector("#line[data-state=down]")
        other.post(*(entry(f"{turn}-{n}") for n in range(5)))
        sink.start()
        page.wait_for_selector("#line[data-state=live]")
        wait_for_rows(page, 1 + 5 * (turn + 1))
    assert shown(page) == [f"{turn}-{n}" for turn in (1, 0) for n in (4, 3, 2, 1, 0)] + ["one"]
    assert page.locator("li.mark").count() == 0


def test_the_sink_stops_and_returns(sink: Any, open_page: Any, keep: Any, entry: Make) -> None:
    # Without the sink's own entries after a restart.
    page = open_page("/logs/?service=backend")
    sink.post(entry("before"))
    wait_for_rows(page, 1)
    sink.stop()
    page.wait_for_selector("#line[data-state=down]")
    assert "live connection is down" in page.text_content("#alarm")
    assert page.title().startswith("(Not live)")
    assert shown(page) == ["before"]
    keep(page, "line-down")
    sink.start()
    sink.post(entry("after"))
    page.wait_for_selector("#line[data-state=live]")
    wait_for_rows(page, 2)
    assert shown(page) == ["after", "before"]
    assert page.locator("#alarm").is_hidden()


def test_redis_returns_empty(sink: Any, open_page: Any, redis_server: RedisServer, keep: Any, entry: Make) -> None:
    page = open_page()
    sink.post(entry("before"))
    wait_for_rows(page, 1)
    redis_server.stop()
    try:
        page.wait_for_selector("#line[data-state=away]")
        keep(page, "redis-away")
    finally:
        redis_server.start()
    page.wait_for_selector("li.mark")
    assert "filling again since" in page.text_content("li.mark")
    page.wait_for_selector("#line[data-state=live]")
    assert "before" not in shown(page)


def test_filters_are_in_the_address(sink: Any, open_page: Any, entry: Make) -> None:
    day = a_bad_day(entry)
    sink.post(*day)
    wait_until(lambda: sink.stats()["kept"] == len(day), "the day is in")
    page = open_page()
    page.click(".chip[data-level=error]")
    wait_for_rows(page, 24)
    page.select_option("#filter-service", "caddy")
    wait_for_rows(page, 12)
    page.fill("#filter-text", "CONNECTION refused")
    holds(page, "() => location.search === '?service=caddy&level=error&q=CONNECTION+refused'")
    holds(page, "() => document.getElementById('shown').textContent !== ''")
    assert page.text_content("#shown") == f"12 of {len(day)} kept entries"
    page.reload()
    wait_for_rows(page, 12)
    assert page.input_value("#filter-text") == "CONNECTION refused"
    page.click("#clear")
    wait_for_rows(page, len(day))
    page.go_back()
    wait_for_rows(page, 12)


def test_one_click_to_everything_with_the_request_id(sink: Any, open_page: Any, keep: Any, entry: Make) -> None:
    sink.post(*a_bad_day(entry))
    wait_until(lambda: sink.stats()["kept"] == 49, "the day is in")
    page = open_page("/logs/?level=error&service=caddy")
    wait_for_rows(page, 12)
    page.locator("li.entry .request").first.click()
    wait_for_rows(page, 4)
    assert {text.split(" ")[0] for text in shown(page)} == {"502", "upload", "login"}
    keep(page, "one-request")


def test_keyboard(sink: Any, open_page: Any, keep: Any, entry: Make) -> None:
    sink.post(entry("first"), entry("second", request_id="abc12345"), entry("third"))
    wait_until(lambda: sink.received() == 3, "entries arrive")
    # Without the sink's own entries on a busy machine.
    page = open_page("/logs/?service=backend")
    wait_for_rows(page, 3)
    for key in "jjjk":
        page.keyboard.press(key)
    assert page.text_content("li.selected .message") == "second"
    page.keyboard.press("Enter")
    assert page.text_content(".full-message") == "second"
    page.keyboard.press("Escape")
    assert page.locator(".details").count() == 0
    page.keyboard.press("r")
    wait_for_rows(page, 1)
    page.keyboard.press("Escape")
    holds(page, "() => location.search === ''")
    wait_until(lambda: {"first", "second", "third"} <= set(shown(page)), "all are shown again")
    page.keyboard.press("/")
    page.keyboard.type("third?")
    assert page.input_value("#filter-text") == "third?"
    page.keyboard.press("Backspace")
    wait_for_rows(page, 1)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    keep(page, "help")
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()


def test_reading_is_not_disturbed(sink: Any, open_page: Any, keep: Any, entry: Make) -> None:
    sink.post(*(entry(f"old {n}") for n in range(60)))
    page = open_page()
    wait_for_rows(page, 60)
    page.evaluate("window.scrollTo(0, 600)")
    page.wait_for_selector("#line[data-state=paused]")
    top = page.evaluate("document.querySelectorAll('li.entry')[20].getBoundingClientRect().top")
    sink.post(*(entry(f"new {n}") for n in range(5)))
    holds(page, "() => document.getElementById('new').textContent === '↑ 5 new'")
    assert page.locator("li.entry").count() == 60
    # The button above needs space; scroll anchoring keeps the rows in place, within a fraction of a pixel.
    moved = page.evaluate("document.querySelectorAll('li.entry')[20].getBoundingClientRect().top") - top
    assert abs(moved) < 1
    keep(page, "on-hold")
    page.click("#new")
    wait_for_rows(page, 65)
    assert shown(page)[0] == "new 4"
    assert page.locator("#new").is_hidden()


def test_a_flood_leaves_the_kept_rows_and_reports_the_missing_ones(sink: Any, open_page: Any, entry: Make) -> None:
    page = open_page()
    sink.post(entry("before"))
    wait_for_rows(page, 1)
    sink.flood(*(entry(f"m{n}") for n in range(20_000)))
    holds(page, "() => document.querySelector('li.entry .message')?.textContent === 'm19999'")
    assert shown(page) == [f"m{n}" for n in range(19_999, 19_999 - LOG_CAP, -1)]
    wait_until(lambda: page.text_content("#count-received") == "20,001", "the counts follow")


def test_hostile_text_stays_text(sink: Any, open_page: Any, entry: Make) -> None:
    evil = "<img src=x onerror=alert(1)><script>document.title='owned'</script>"
    sink.post(entry(evil, service="evil", logger=evil, exception=evil, fields={evil: evil}))
    page = open_page()
    wait_for_rows(page, 1)
    page.locator("li.entry .row").click()
    assert shown(page) == [evil]
    assert page.text_content(".exception") == evil
    assert page.locator(".list img, .list script").count() == 0
    assert "owned" not in page.title()


@pytest.mark.parametrize(("status", "says"), [(204, "Sign in"), (503, "Still signed in")])
def test_signing_out(open_page: Any, status: int, says: str) -> None:
    page = open_page()
    page.route("**/auth/logout", lambda route: route.fulfill(status=status))
    page.click("#sign-out")
    page.wait_for_selector(f"button:has-text('{says}')")
    assert page.url.endswith("/logs/login") == (status == 204)


def test_an_interrupted_sign_out_is_repeated(open_page: Any) -> None:
    page = open_page()
    page.route("**/auth/logout", lambda route: route.fulfill(status=204))
    browser.cut(page, "**/auth/logout", times=1)
    page.click("#sign-out")
    page.wait_for_selector("#submit:enabled")


def test_screen_readers(sink: Any, open_page: Any, entry: Make) -> None:
    sink.post(entry("upload failed", level="error", exception=TRACEBACK, request_id="abc12345"))
    page = open_page("/logs/?service=backend")
    wait_for_rows(page, 1)
    row = page.get_by_role("list", name="Entries, newest first").get_by_role("listitem")
    names = [button.get_attribute("aria-label") or button.inner_text() for button in row.get_by_role("button").all()]
    assert [" ".join(name.split())[9:] for name in names[:1]] == ["error backend upload failed ⋯ with exception"]
    assert names[1] == "Everything with request id abc12345"
    for role, name in [
        ("status", None), ("region", "Kept entries"), ("search", "Filters"), ("group", "Level"),
        ("combobox", "Service"), ("textbox", "Request id"), ("searchbox", "Text"), ("button", "Sign out"),
    ]:  # fmt: skip
        assert page.get_by_role(role, name=name).first.is_visible(), (role, name)
    assert page.get_by_role("img", name="Kept entries: backend 0 warning, 1 error, 0 critical").count() == 1
    row.get_by_role("button").first.click()
    assert row.get_by_role("button").first.get_attribute("aria-expanded") == "true"
    assert page.get_by_label("Exception").inner_text() == TRACEBACK


def test_nothing_yet(open_page: Any, keep: Any) -> None:
    page = open_page()
    assert page.text_content("#blank h2") == "Nothing has gone wrong"
    keep(page, "empty")


def test_nothing_matches(sink: Any, open_page: Any, keep: Any, entry: Make) -> None:
    sink.post(entry("one"))
    page = open_page("/logs/?q=something+else")
    page.wait_for_selector("#blank[data-kind=no-match]")
    keep(page, "no-match")
    page.click("#blank button")
    wait_for_rows(page, 1)


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        (401, "signin", "You are signed out"),
        (403, "forbidden", "This page is for operators"),
        (503, "down", "cannot be read"),
    ],
)
def test_not_allowed_and_not_reachable_look_different(
    new_page: NewPage, sink: Any, keep: Any, status: int, state: str, says: str
) -> None:
    page = new_page(sink.url)
    page.route("**/logs/entries", lambda route: route.fulfill(status=status, json={"detail": "of the front door"}))
    browser.visit(page, "/logs/")
    page.wait_for_selector(f"#line[data-state={state}]")
    assert says in page.text_content("#blank")
    keep(page, state)


def test_the_alarm_of_dropped_entries_can_be_dismissed_until_there_are_more(
    sink: Any, open_page: Any, entry: Make
) -> None:
    sink.post(entry("m"), headers={"Plumbline-Dropped": "backend;level=warning;count=1"})
    page = open_page()
    page.wait_for_selector("#alarm-seen")
    assert "1 entry was dropped" in page.text_content("#alarm-text")
    page.click("#alarm-seen")
    page.wait_for_selector("#alarm", state="hidden")
    sink.post(entry("m"), headers={"Plumbline-Dropped": "backend;level=warning;count=1"})
    page.wait_for_selector("#alarm", state="visible")
    assert "2 entries were dropped" in page.text_content("#alarm-text")


def test_a_page_in_the_background_updates_its_title(new_page: NewPage, sink: Any) -> None:
    page = new_page(sink.url)
    # Browsers render no frames of a page in the background.
    page.add_init_script("window.requestAnimationFrame = () => 0")
    browser.visit(page, "/logs/")
    page.wait_for_selector("#line[data-state=live]")
    sink.stop()
    holds(page, "() => document.title.startsWith('(Not live)')")


def test_faults_are_one_row_with_their_number(
    sink: Any, open_page: Any, keep: Any, entry: Make, empty_redis: redis.Redis
) -> None:
    page = open_page("/logs/?service=backend")
    bad = {"kind": "client.bad_token", "request_id": "abc12345"}
    sink.post(entry("a session token was refused", count=1, **bad))
    wait_for_rows(page, 1)
    sink.post(entry("another one", count=56, **bad), entry("of the stack itself"))
    wait_for_rows(page, 2)
    for name, value in empty_redis.hgetall("logs:recent:counters").items():
        if name.startswith(b"open|"):
            # Its minute is over.
            empty_redis.hset("logs:recent:counters", name, b"1 " + value.split(b" ", 1)[1])
    holds(page, "() => document.querySelector('.count')?.textContent === '×57 in this minute'")
    assert len(shown(page)) == 2
    assert "a session token was refused" in shown(page)[0]
    page.locator("li.entry .row").first.click()
    assert "the first of 57 of this kind" in page.text_content(".details")
    keep(page, "counted")
    page.reload()
    wait_for_rows(page, 2)
    assert page.text_content(".count") == "×57 in this minute"
