"""Text on pictures: lines that fit, and letters that a font has not."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations.picture_text import fitting, lines_of, missing_letters, own_font, picture_font
from sam2vlm.errors import SettingsError

FONT = own_font()


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab cd\n\tWWW魚", max_size=80), st.integers(20, 200))
def test_lines_fit_and_lose_nothing_but_blanks(text, width):
    lines = lines_of(text, width, FONT)
    assert all(FONT.getlength(line) <= width or len(line) == 1 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_lines_break_at_blanks_and_long_words_inside():
    assert lines_of("one two three", FONT.getlength("one two "), FONT) == ["one two", "three"]
    assert lines_of("first\nsecond", 500, FONT) == ["first", "second"]
    assert lines_of("", 500, FONT) == [""]
    pieces = lines_of("W" * 40, 60, FONT)
    assert len(pieces) > 5
    assert "".join(pieces) == "W" * 40


def test_a_label_is_shortened_to_a_line():
    assert fitting("a\nb", 200, FONT) == "a b"
    assert fitting("w" * 500, 80, FONT).endswith("w…")
    assert FONT.getlength(fitting("w" * 500, 80, FONT)) <= 80


def test_letters_that_a_font_has_not_are_told():
    assert missing_letters("crab, 12 %", FONT) == ""
    assert missing_letters("fish 鱼 and 鱼 蟹\n", FONT) == "蟹鱼"


def test_what_is_no_font_is_refused(tmp_path):
    (tmp_path / "font.ttf").write_text("no font")
    with pytest.raises(SettingsError, match="is no font"):
        picture_font(path=tmp_path / "font.ttf")
    with pytest.raises(SettingsError, match="is no font"):
        picture_font(path=Path("nowhere.ttf"))
