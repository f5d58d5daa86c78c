"""A secret is a file with one line. Other files are refused with a message that names the file, never its content."""

from __future__ import annotations

import pytest
from servicekit.secrets import MIN_LENGTH, SecretError, read_secret

from plumbline.verification.throwaway import unprivileged


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" ", b"\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n", b" \t\n\n"])
def test_white_space_and_a_byte_order_mark_are_no_part_of_the_secret(tmp_path, before, after):
    (tmp_path / "s").write_bytes(before + b"correct horse" + after)
    assert read_secret(tmp_path / "s") == "correct horse"


def test_all_other_characters_are_part_of_the_secret(tmp_path):
    (tmp_path / "s").write_text("pä'ss\"wo;rd\\ \t🙂\u00a0", encoding="utf-8")
    assert read_secret(tmp_path / "s") == "pä'ss\"wo;rd\\ \t🙂\u00a0"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"  \t ", "is empty"),
        (b"changeme", "placeholder"),
        (b"ChangeMe\n", "placeholder"),
        (b"password", "placeholder"),
        (b" secret ", "placeholder"),
        (b"abcdefg", f"fewer than {MIN_LENGTH}"),
        (b"one-half-0\nother-half\n", "more than one line"),
        (b"long-enough\0", "save it as UTF-8"),
        ("long-enough".encode("utf-16"), "looks like UTF-16: save it as UTF-8"),
        ("long-enough".encode("utf-16-be"), "looks like UTF-16: save it as UTF-8"),
        (b"long-enough-\xe9", "is not UTF-8 text: save it as UTF-8"),
    ],
)
def test_unusable_content_is_refused(tmp_path, content, reason):
    path = tmp_path / "token_secret"
    path.write_bytes(content)
    with pytest.raises(SecretError, match=reason) as caught:
        read_secret(path)
    assert str(path) in str(caught.value)
    said = str(caught.value).replace(str(path), "")
    assert not any(word in said for word in ("long-enough", "one-half", "abcdefg", "changeme"))


def test_an_absent_file_and_a_directory_have_different_messages(tmp_path):
    with pytest.raises(SecretError, match="does not exist"):
        read_secret(tmp_path / "absent")
    with pytest.raises(SecretError, match="is a directory"):
        read_secret(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(SecretError, match="NotADirectoryError"):
        read_secret(tmp_path / "file" / "below")


def test_the_file_of_another_user_is_refused_by_name(tmp_path):
    path = tmp_path / "token_secret"
    path.write_text("long-enough")
    path.chmod(0)
    with unprivileged(), pytest.raises(SecretError) as caught:
        read_secret(path)
    assert str(caught.value) == f"secret file {path} cannot be read by this user: check its owner and mode"
