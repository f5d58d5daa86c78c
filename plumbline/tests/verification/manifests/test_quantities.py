from __future__ import annotations

import pytest

from plumbline.targets.kubernetes.quantity import parse


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("250m", 0.25), ("1Gi", 1024**3), ("5k", 5000), ("1.5", 1.5), ("1e3", 1000), (".5Mi", 512 * 1024)],
)
def test_what_kubernetes_understands(text: str, number: float) -> None:
    assert parse(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "1 Gi", "1GB", "1mi", "one", "1KI", "--1"])
def test_what_it_does_not(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        parse(text)
