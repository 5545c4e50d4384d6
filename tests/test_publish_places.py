"""Folder names are safe for any text, locks end with their process, replacements are all or nothing."""

import os

import pytest

from salesforecast.errors import BadValue, StoreBusy
from salesforecast.publish import places

HOSTILE = [
    "..", ".", "", "/", "../../etc", "a/b", "a\\b", "a\0b", "CON", "nul.txt", "runs", "current", "x" * 300, "华" * 300,
    "\u202eabc", " a ", "a\nb", ".hidden", "C:", "😀" * 50, "~", "$HOME", "a*b?",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_makes_one_safe_folder_name(tmp_path, text):
    name = places.slug(text)
    assert 0 < len(name) <= 80 and len(name.encode()) <= 200
    assert not set(name) & set("/\\\0") and name not in (".", "..") and not name.startswith(".")
    folder = tmp_path / name
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()


def test_ordinary_names_stay_and_different_names_stay_different():
    for name in ("2026-10", "2026-W47", "华东", "region=华东", "monthly_sales", "Ünïts"):
        assert places.slug(name) == name
    assert len({places.slug(text) for text in HOSTILE}) == len(HOSTILE)
    assert places.slug("a/b") != places.slug("a-b") != places.slug("a\\b")


def test_scopes_are_named_in_a_fixed_order():
    assert places.scope_slug({"b": "2", "a": "1"}) == places.scope_slug({"a": "1", "b": "2"}) == "a=1+b=2"
    assert places.scope_slug({"a": "../.."}) != places.scope_slug({"a": "-"})


def test_a_symlink_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path)
    with pytest.raises(BadValue, match="symlink"):
        places.make_folder(tmp_path / "out", tmp_path / "out" / "a" / "b")
    assert not (tmp_path / "b").exists()


def test_a_lock_is_held_once_and_free_after_an_error(tmp_path):
    path = tmp_path / ".lock"
    with pytest.raises(RuntimeError), places.locked(path, "report"):
        with pytest.raises(StoreBusy, match=f"report is being published by process {os.getpid()}"):
            places.locked(path, "report").__enter__()
        raise RuntimeError
    with places.locked(path, "report"):
        pass


def test_a_lock_file_that_is_a_symlink_is_not_written_through(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / ".lock").symlink_to(victim)
    with pytest.raises(BadValue, match="symlink"), places.locked(tmp_path / ".lock", "report"):
        pass
    assert victim.read_text() == "keep"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "index.html"
    places.replace_file(path, b"old")
    with monkeypatch.context() as patched:

        def refuses(*_):
            raise OSError(28, "No space left on device")

        patched.setattr(places.os, "fsync", refuses)
        with pytest.raises(OSError, match="No space"):
            places.replace_file(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_never_followed(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        places.point_to(tmp_path / "current", name)
        assert (tmp_path / "current").readlink().name == name
    assert not any((tmp_path / "a").iterdir())
