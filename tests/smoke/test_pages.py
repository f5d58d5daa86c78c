"""Every list: its pages hold every item once, newest first, and its limits hold.

Protects from lists that skip or repeat items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plumbline.targets.base import Target
from plumbline.verification.checks import contract, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.sessions import Operator

DOCUMENTS = "/data-processor/documents/"
LISTS = (
    "channels", "search", "members", "messages", "documents", "annotations", "templates", "all-templates", "batch",
    "invites",
)  # fmt: skip
OF_ALL_USERS = ("channels", "invites")
"""Lists that hold other users' items, too."""
ITEMS = 5
PAGES_MAX = 60
"""Other runs may create items at the same time. A list that repeats a page must not be read for ever."""


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


@pytest.fixture(scope="module")
def made(new_user: Callable[[], User], operator: Operator) -> dict[str, tuple[str, list[Any]]]:
    """Path of each list, and the ids of the items that this module made, oldest first."""
    owner, *others = (new_user() for _ in range(ITEMS))
    channels = [owner.create_channel("private")["id"] for _ in range(ITEMS)]
    channel = channels[0]
    for other in others:
        owner.post(f"/channels/{channel}/members", {"user_id": other.id}).expect(201)
    messages = f"/channels/{channel}/messages"
    said = [owner.post(messages, {"content": str(number)}).expect(201)["id"] for number in range(ITEMS)]
    stored = [owner.upload(channel, f"{PREFIX}{n}.png", samples.png(seed=n)).expect(201)["id"] for n in range(ITEMS)]
    annotations = f"{DOCUMENTS}{stored[0]}/annotations/"
    mark = {"label_type": "a", "label_name": "b", "bounding_box": {"x": 1, "y": 1, "width": 1, "height": 1}}
    marks = [owner.post(annotations, mark).expect(201)["id"] for _ in range(ITEMS)]
    templates = [
        owner.post("/data-processor/templates/", {"channel_id": channel, "name": f"{PREFIX}{n}"}).expect(201)["id"]
        for n in range(ITEMS)
    ]
    job = {"channel_id": channel, "template_id": templates[0], "document_ids": stored[:1]}
    jobs = [owner.post("/data-processor/batch/", job).expect(202)["id"] for _ in range(ITEMS)]
    invites = [operator.call("POST", "/auth/invites").expect(201)["id"] for _ in range(ITEMS)]
    in_channel = f"?channel_id={channel}"
    run = owner.username.rpartition("-")[0]
    return {
        "owner": owner,
        "channels": ("/channels/", channels),
        "search": (f"/channels/search?name={run}", channels),
        "members": (f"/channels/{channel}/members", [owner.id, *(one.id for one in others)]),
        "messages": (messages, said),
        "documents": (f"{DOCUMENTS}{in_channel}", stored),
        "annotations": (annotations, marks),
        "templates": (f"/data-processor/templates/{in_channel}", templates),
        "all-templates": ("/data-processor/templates/", templates),
        "batch": (f"/data-processor/batch/{in_channel}", jobs),
        "invites": ("/auth/invites", invites),
    }  # type: ignore[return-value]


class Listing:
    """A list as its reader pages through it."""

    def __init__(self, name: str, made: Any, operator: Operator) -> None:
        self.name = name
        self.path, self.expected = made[name]
        self._reader = operator if name == "invites" else made["owner"]

    def get(self, **parameters: Any) -> Any:
        return self._reader.call("GET", self.path, params=parameters)

    def ids(self, items: list[dict[str, Any]]) -> list[Any]:
        """Return the ids that stand for this module's items, newest first. Welcomes are none of them."""
        key = "user_id" if self.name == "members" else "id"
        own = [one for one in items if self.name != "messages" or one["sender_id"] is not None]
        return [one[key] for one in (reversed(own) if self.name == "messages" else own)]


@pytest.fixture(params=LISTS)
def listing(request: pytest.FixtureRequest, made: Any, operator: Operator) -> Listing:
    return Listing(request.param, made, operator)


def test_pages_hold_every_item_once_and_newest_first(listing: Listing) -> None:
    seen: list[Any] = []
    sizes = []
    parameters: dict[str, Any] = {"limit": 2}
    for _ in range(PAGES_MAX):
        if set(listing.expected) <= set(seen):
            break
        page = listing.get(**parameters).expect(200)
        sizes.append(len(page["items"]))
        seen += listing.ids(page["items"])
        if page["next"] is None:
            break
        parameters["before"] = page["next"]
    assert len(seen) == len(set(seen)), f"{listing.name}: an item is in two pages: {seen}"
    assert max(sizes) <= 2, f"{listing.name}: a page has more items than its limit: {sizes}"
    assert set(sizes[:-1]) <= {2}, f"{listing.name}: a page before the last is not full: {sizes}"
    mine = [one for one in seen if one in listing.expected]
    newest_first = listing.expected[::-1]
    if listing.name == "search":  # in the order of names
        mine, newest_first = sorted(mine), sorted(newest_first)
    assert mine == newest_first, f"{listing.name}: expected {newest_first}, got {mine}"


@pytest.mark.parametrize("listing", [name for name in LISTS if name not in OF_ALL_USERS], indirect=True)
def test_the_last_page_says_that_it_is_the_last(listing: Listing) -> None:
    first = listing.get(limit=100).expect(200)
    assert first["next"] is None, listing.name
    total = len(first["items"])
    whole = listing.get(limit=total).expect(200)
    assert (len(whole["items"]), whole["next"]) == (total, None), f"{listing.name}: exactly one full page"
    cut = listing.get(limit=total - 1).expect(200)
    assert (len(cut["items"]), cut["next"] is None) == (total - 1, False), f"{listing.name}: one item is left"


@pytest.mark.parametrize("limit", ["0", "-1", str(contract.PAGE_MAX + 1), "x"])
def test_a_limit_out_of_bounds_is_refused(listing: Listing, limit: str) -> None:
    refused = listing.get(limit=limit).expect_problem(422)
    assert [one["field"] for one in refused["errors"]] == ["limit"], listing.name


def test_a_page_has_fifty_items_unless_another_limit_is_given(alice: User) -> None:
    channel = alice.create_channel("private")
    path = f"/channels/{channel['id']}/messages"
    for number in range(contract.PAGE_DEFAULT):  # and the welcome
        alice.post(path, {"content": str(number)}).expect(201)
    page = alice.get(path).expect(200)
    assert len(page["items"]) == contract.PAGE_DEFAULT
    assert page["next"] is not None
    assert len(alice.get(path, limit=contract.PAGE_MAX).expect(200)["items"]) == contract.PAGE_DEFAULT + 1
