"""Texts of every writing take the columns that terminals give them (wcwidth knows), and are never cut in the middle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth, wcwidth

from hpo.cli.letters import broken, columns_of, cut, padded

WRITINGS = {
    "latin": "abcABC-_.:;!?éñßøŁİﬁ",
    "accents on their own": "e\u0301o\u0308n\u0303",
    "greek and cyrillic": "αβγΩЖшцЁ",
    "han": "手書數字学习率損失",
    "kana": "ひらがなカタカナーﾊﾝｶｸ",
    "hangul": "손글씨숫자",
    "wide latin": "ＡＢＣ１２３",
    "hebrew and arabic": "שלוםمرحبا",
    "thai": "ตัวเลข",
    "emoji": "🎯🧪🚀✅",
    "bars": "▁▂▃▄▅▆▇█▓▒░·…�",
}
LETTERS = "".join(WRITINGS.values()) + "   "
texts = st.text(st.sampled_from(LETTERS), max_size=40)


@pytest.mark.parametrize("writing", WRITINGS.values(), ids=WRITINGS)
def test_a_letter_takes_the_columns_that_terminals_give_it(writing):
    assert {letter: columns_of(letter) for letter in writing} == {
        letter: wcwidth(letter) for letter in writing
    }


@given(texts, st.integers(0, 50))
def test_a_text_is_cut_to_the_longest_beginning_that_has_room(text, width):
    found = cut(text, width)

    assert text.startswith(found)
    assert wcswidth(found) <= width
    assert found == text or wcswidth(text[: len(found) + 1]) > width


@given(texts, st.integers(0, 50), st.booleans())
def test_a_padded_text_ends_where_its_column_does(text, width, to_right):
    found = padded(text, width, to_right=to_right)

    assert wcswidth(found) == max(width, wcswidth(text))
    assert found.strip(" ") == text.strip(" ")


@given(texts, st.integers(1, 50), st.sampled_from(["", "  "]))
def test_broken_lines_fit_and_lose_no_letter(text, width, indent):
    lines = broken(text, width, indent=indent, cut_words=True)

    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(wcswidth, lines)) <= max(width, len(indent) + 2)


def test_words_are_kept_whole_where_somebody_may_copy_them():
    assert broken("run hpo-trials-of-digits now", 8, indent="  ") == [
        "run",
        "  hpo-trials-of-digits",
        "  now",
    ]
