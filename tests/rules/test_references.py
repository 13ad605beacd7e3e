"""References: hard to mistype, and found again in what a payer wrote."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import references
from anchor.references import ALPHABET, LENGTH

made = st.builds(references.make)


@given(made)
def test_a_reference_is_read_however_it_is_written(reference: str) -> None:
    spelled = references.grouped(reference)
    assert len(reference) == LENGTH
    assert len(spelled) == LENGTH + 1
    for text in (reference, spelled, spelled.lower(), " ".join(spelled), spelled.replace("-", " ")):
        assert references.read(text) == reference


@given(made)
def test_each_slip_and_each_exchange_of_two_letters_is_found(reference: str) -> None:
    for place, letter in enumerate(reference):
        for other in ALPHABET.replace(letter, ""):
            assert references.read(reference[:place] + other + reference[place + 1 :]) is None
    for first, second in combinations(range(LENGTH), 2):
        letters = list(reference)
        letters[first], letters[second] = letters[second], letters[first]
        if letters != list(reference):
            assert references.read("".join(letters)) is None


@given(made, st.text(max_size=30), st.text(max_size=30))
def test_a_reference_is_found_among_the_bank_s_own_words(
    reference: str, before: str, after: str
) -> None:
    spelled = references.grouped(reference)
    assert reference in references.find(f"{before} {reference} {after}")
    assert reference in references.find(f"{before} {spelled} {after}")
    assert reference in references.find(f"{before} {spelled.replace('-', ' ')} {after}")


@pytest.mark.parametrize("text", ["", "-", "AAAAA-AAAAA", "0" * 10, "²" * 10, "C" * 11, "ß" * 5])
def test_what_is_no_reference_is_none(text: str) -> None:
    assert references.read(text) is None
    assert references.find(text) == []


def test_no_letter_looks_like_another_and_no_word_comes_out() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 23
    assert not set(ALPHABET) & set("01AEIOULSBGZQ")
