"""What a seed comes to: who pays what and when, and what goes wrong meanwhile.

Pure: the same seed and length make the same plan on every machine. How the processes
interleave is theirs alone, so a seed repeats the plan of a run and not its every step.
"""

import random
from dataclasses import dataclass, field
from decimal import Decimal

REFUSED, SETTLES_LATE, SETTLES = "0001", "0002", "0009"

#: What a customer does, and how many of a hundred do it.
STORIES = {
    "withdrawal paid exactly": 18,
    "withdrawal in two operations": 4,
    "withdrawal paid twice": 5,
    "withdrawal under a wrong memo": 4,
    "withdrawal paid too little": 3,
    "withdrawal that settles late": 5,
    "withdrawal that the bank refuses": 5,
    "withdrawal that is held": 4,
    "withdrawal by the doors": 3,
    "send paid exactly": 10,
    "send that the bank refuses": 3,
    "deposit booked exactly": 18,
    "deposit booked twice": 4,
    "deposit with a wrong reference": 4,
    "deposit booked too little": 3,
    "deposit to an account that trusts later": 4,
    "deposit to an account that is not there yet": 3,
}


@dataclass
class Order:
    """What one customer does, and then what became of it: filled in by `load`.

    `cents` are its own: no other order of the run is about this amount. `arrivals` are the
    payments (``tx`` hashes) and bookings (``B…`` ids) that it made, `refunded` those of them
    that the desk sends back.
    """

    number: int
    story: str
    at_s: float
    cents: int
    is_refunded: bool
    id: str = ""
    address: str = ""
    arrivals: list[str] = field(default_factory=list)
    refunded: list[str] = field(default_factory=list)
    destination: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Return withdrawal, deposit or send."""
        return self.story.split()[0]

    @property
    def amount(self) -> Decimal:
        """Return what its payer was told to pay."""
        return Decimal(self.cents) / 100

    @property
    def account_number(self) -> str:
        """Return the account at the bank that is to be paid; the bank goes by its end."""
        end = SETTLES_LATE if "settles late" in self.story else SETTLES
        end = REFUSED if "refuses" in self.story else end
        return f"DE{self.number:014d}{end}"


@dataclass(frozen=True)
class Strike:
    """One fault: which kind, when it begins, for how long, and a number for its details."""

    kind: str
    at_s: float
    lasts_s: float
    dice: int


@dataclass(frozen=True)
class Plan:
    """A run, before it runs."""

    seed: int
    seconds: int
    orders: list[Order]
    strikes: list[Strike]


def plan(seed: int, seconds: int, count: int, kinds: list[str]) -> Plan:
    """Make the plan of a seed: `count` orders, and faults of all `kinds`, again and again."""
    dice = random.Random(seed)
    return Plan(seed, seconds, _orders(dice, seconds, count), _strikes(dice, seconds, kinds))


def _orders(dice: random.Random, seconds: int, count: int) -> list[Order]:
    stories = [story for story, weight in STORIES.items() for _ in range(weight)]
    chosen = [stories[n * len(stories) // count % len(stories)] for n in range(count)]
    dice.shuffle(chosen)
    cents = dice.sample(range(1_000, max(40_000, 20 * count)), count)
    return [
        Order(
            number=n,
            story=story,
            at_s=round(seconds * 0.9 * n / count, 2),
            cents=cents[n],
            is_refunded=dice.random() < 0.5,
        )
        for n, story in enumerate(chosen)
    ]


def _strikes(dice: random.Random, seconds: int, kinds: list[str]) -> list[Strike]:
    """Strike with every kind in turn, each round in a new order, about once in 1.4 seconds."""
    found: list[Strike] = []
    rest_s = min(1.4, (seconds - 4) / len(kinds))
    at_s = 2.0
    while at_s < seconds - 1:
        for kind in dice.sample(kinds, len(kinds)):
            if at_s < seconds - 1 or len(found) < len(kinds):
                lasts_s = round(dice.uniform(1, 6), 1)
                found.append(Strike(kind, round(at_s, 2), lasts_s, dice.randrange(1 << 30)))
                at_s += rest_s * dice.uniform(0.6, 1.4)
    return found
