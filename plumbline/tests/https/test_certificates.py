"""A given certificate is checked before anything is changed, and a problem is one sentence with a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plumbline.https import certificates
from plumbline.verification.checks.certificates import expire

NAME = "chat.example.org"
Make = Callable[..., tuple[Path, Path]]


def test_a_valid_pair_has_no_problem(certificate: Make) -> None:
    assert certificates.problem(*certificate(NAME), NAME) is None


def test_a_wildcard_is_for_its_names(certificate: Make) -> None:
    pair = certificate("*.example.org")
    assert certificates.problem(*pair, NAME) is None
    assert "is not for example.org" in str(certificates.problem(*pair, "example.org"))


def test_another_name_is_refused(certificate: Make) -> None:
    said = certificates.problem(*certificate("other.example.org"), NAME)
    assert said is not None
    assert f"is not for {NAME}: name one that is" in said


def test_an_expired_one_is_refused(certificate: Make) -> None:
    crt, key = certificate(NAME)
    expire(crt, key)
    assert f"the certificate {crt} has expired: renew it, and name the new one" == certificates.problem(crt, key, NAME)


def test_the_key_of_another_certificate_is_refused(certificate: Make) -> None:
    crt, _ = certificate(NAME)
    _, key = certificate(NAME, file="two")
    assert "does not belong to the certificate" in str(certificates.problem(crt, key, NAME))


def test_other_files_are_refused(certificate: Make, tmp_path: Path) -> None:
    crt, key = certificate(NAME)
    assert "cannot be read (No such file or directory)" in str(certificates.problem(tmp_path / "none", key, NAME))
    crt.write_text("not PEM")
    assert "are not a certificate and its key in PEM" in str(certificates.problem(crt, key, NAME))
