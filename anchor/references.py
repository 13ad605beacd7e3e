"""References that a customer writes on a transfer: short, and hard to mistype.

Nine letters and digits at random and one that checks them, of an alphabet without look-alikes
and without vowels, so that no word comes out. Its size is a prime: each single slip and each
two places exchanged are found.
"""

import secrets
from itertools import pairwise

ALPHABET = "23456789CDFHJKMNPRTVWXY"
LENGTH = 10
_GROUP = 5


def make() -> str:
    """Return a new one, as it is stored: ten characters without a gap."""
    digits = [secrets.randbelow(len(ALPHABET)) for _ in range(LENGTH - 1)]
    return "".join(ALPHABET[digit] for digit in [*digits, _check(digits)])


def grouped(reference: str) -> str:
    """Write a reference as people read it: in groups of five with a hyphen between."""
    parts = range(0, len(reference), _GROUP)
    return "-".join(reference[start : start + _GROUP] for start in parts)


def read(text: str) -> str | None:
    """Return the reference that a payer wrote, as it is stored; None where it is none.

    Small letters, spaces, hyphens and dots do not matter; a slip is found by the check.
    """
    letters = "".join(letter for letter in text.upper() if letter.isalnum())
    if len(letters) != LENGTH or not set(letters) <= set(ALPHABET):
        return None
    *digits, check = (ALPHABET.index(letter) for letter in letters)
    return letters if _check(digits) == check else None


def find(text: str) -> list[str]:
    """Return each reference that stands in a longer text, in its order, once.

    Banks put words of their own around what a payer wrote; the groups may stand apart.
    """
    words = "".join(letter if letter.isalnum() else " " for letter in text.upper()).split()
    candidates = [
        *words,
        *(first + second for first, second in pairwise(words)),
    ]
    found = (reference for word in candidates if (reference := read(word)))
    return list(dict.fromkeys(found))


def _check(digits: list[int]) -> int:
    """Weigh each digit by its place: the sum of all, with the check, is 0 by the prime."""
    total = sum(weight * digit for weight, digit in enumerate(digits, start=2))
    return -total % len(ALPHABET)
