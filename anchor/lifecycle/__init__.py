"""The life of a transaction: the one table of (kind, status, funds in?, event) → status.

Statuses are those of SEP-6, SEP-24 and SEP-31; what is not in the table does not happen.
Money may arrive in every status that is not over, nothing pays out without funds in, and
nothing expires with them (promise 4).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anchor.lifecycle.words import DEPOSITS, WITHDRAWALS, Event, Kind, NoSuchMove, Status

__all__ = [
    "DEPOSITS",
    "FINAL",
    "INITIAL",
    "PAYOUT_EVENTS",
    "REFUND_EVENTS",
    "TABLE",
    "WITHDRAWALS",
    "Event",
    "Kind",
    "NoSuchMove",
    "Row",
    "Status",
    "is_legal",
    "next_status",
    "statuses_of",
]


@dataclass(frozen=True)
class Row:
    """One legal move."""

    kind: Kind
    status: Status
    funds_in: bool
    event: Event
    target: Status


FINAL = frozenset({Status.COMPLETED, Status.REFUNDED})

#: Events that move money of the customer's out, and so need it to be in.
PAYOUT_EVENTS = frozenset(
    {
        Event.PAYOUT_SENT,
        Event.PAYOUT_READY_FOR_PICKUP,
        Event.PAYOUT_COMPLETED,
        Event.LEDGER_PAYMENT_SUBMITTED,
        Event.LEDGER_PAYMENT_CONFIRMED,
    }
)
REFUND_EVENTS = frozenset({Event.REFUND_SENT, Event.REFUND_COMPLETED, Event.PARTLY_REFUNDED})

_Moves = dict[Event, Status]
_S, _E = Status, Event


def _before_funds(home: Status, waits: Status) -> dict[Status, _Moves]:
    """What may happen before money came: gathering information, checking, waiting."""
    ask = {
        _E.CUSTOMER_INFO_NEEDED: _S.PENDING_CUSTOMER_INFO_UPDATE,
        _E.USER_ACTION_NEEDED: _S.PENDING_USER,
    }
    return {
        _S.INCOMPLETE: ask | {_E.DETAILS_GIVEN: waits, _E.CHECKS_BEGUN: home},
        home: ask | {_E.DETAILS_NEEDED: _S.INCOMPLETE, _E.DETAILS_GIVEN: waits},
        _S.PENDING_CUSTOMER_INFO_UPDATE: {
            _E.CUSTOMER_INFO_NEEDED: _S.PENDING_CUSTOMER_INFO_UPDATE,
            _E.CUSTOMER_INFO_GIVEN: home,
            _E.CUSTOMER_ACCEPTED: waits,
            _E.CUSTOMER_REJECTED: _S.ERROR,
        },
        _S.PENDING_TRANSACTION_INFO_UPDATE: {_E.TRANSACTION_INFO_GIVEN: home},
        _S.PENDING_USER: {_E.USER_ACTED: home, _E.DETAILS_GIVEN: waits},
        waits: {_E.TOO_SMALL_FOUND: _S.TOO_SMALL, _E.TOO_LARGE_FOUND: _S.TOO_LARGE},
        _S.TOO_SMALL: {_E.RECOVERED: home},
        _S.TOO_LARGE: {_E.RECOVERED: home},
    }


def _with_funds(home: Status) -> dict[Status, _Moves]:
    """What is common to all kinds once money is in: asking, holding, refunding, recovering."""
    moves = {
        home: {
            _E.USER_ACTION_NEEDED: _S.PENDING_USER,
            _E.CUSTOMER_INFO_NEEDED: _S.PENDING_CUSTOMER_INFO_UPDATE,
            _E.TRANSACTION_INFO_NEEDED: _S.PENDING_TRANSACTION_INFO_UPDATE,
            _E.HELD: _S.ON_HOLD,
            _E.RELEASED: home,
        },
        _S.ON_HOLD: {_E.RELEASED: home},
        _S.PENDING_USER: {_E.USER_ACTED: home, _E.HELD: _S.ON_HOLD, _E.RELEASED: home},
        _S.PENDING_CUSTOMER_INFO_UPDATE: {
            _E.CUSTOMER_INFO_NEEDED: _S.PENDING_CUSTOMER_INFO_UPDATE,
            _E.CUSTOMER_INFO_GIVEN: home,
            _E.CUSTOMER_ACCEPTED: home,
            _E.CUSTOMER_REJECTED: _S.ERROR,
            _E.HELD: _S.ON_HOLD,
            _E.RELEASED: home,
        },
        _S.PENDING_TRANSACTION_INFO_UPDATE: {
            _E.TRANSACTION_INFO_GIVEN: home,
            _E.HELD: _S.ON_HOLD,
            _E.RELEASED: home,
        },
        _S.TOO_SMALL: {_E.RECOVERED: home},
        _S.TOO_LARGE: {_E.RECOVERED: home},
        _S.ERROR: {_E.RECOVERED: home},
        _S.EXPIRED: {_E.RECOVERED: home},
    }
    return {status: _refundable(status) | each for status, each in moves.items()}


def _refundable(status: Status) -> _Moves:
    """What a refund does that shows in no status of its own: in part, it changes none."""
    part = {} if status is _S.EXPIRED else {_E.PARTLY_REFUNDED: status}
    return {_E.REFUND_COMPLETED: _S.REFUNDED} | part


def _paying_by_rail(home: Status) -> dict[Status, _Moves]:
    """A payout to a customer outside the ledger, and a refund on it."""
    back = {
        _E.PAYOUT_REFUSED: home,
        _E.PAYOUT_RETURNED: home,
        _E.PAYOUT_NEEDS_INFO: home,
        _E.HELD: home,
    }
    return {
        home: {
            _E.PAYOUT_NEEDS_INFO: _S.PENDING_TRANSACTION_INFO_UPDATE,
            _E.PAYOUT_SENT: _S.PENDING_EXTERNAL,
            _E.PAYOUT_READY_FOR_PICKUP: _S.PENDING_USER_TRANSFER_COMPLETE,
            _E.PAYOUT_COMPLETED: _S.COMPLETED,
            _E.PAYOUT_REFUSED: home,
            _E.REFUND_SENT: _S.PENDING_STELLAR,
        },
        _S.PENDING_EXTERNAL: back
        | {
            _E.PAYOUT_COMPLETED: _S.COMPLETED,
            _E.PAYOUT_READY_FOR_PICKUP: _S.PENDING_USER_TRANSFER_COMPLETE,
        },
        _S.PENDING_USER_TRANSFER_COMPLETE: back | {_E.PAYOUT_COMPLETED: _S.COMPLETED},
        _S.PENDING_STELLAR: {
            _E.REFUND_COMPLETED: _S.REFUNDED,
            _E.PARTLY_REFUNDED: home,
            _E.REFUND_FAILED: home,
        },
        _S.ON_HOLD: {_E.PAYOUT_READY_FOR_PICKUP: _S.PENDING_USER_TRANSFER_COMPLETE},
    }


_PAYING_ON_LEDGER: dict[Status, _Moves] = {
    _S.PENDING_ANCHOR: {
        _E.TRUST_MISSING: _S.PENDING_TRUST,
        _E.LEDGER_PAYMENT_SUBMITTED: _S.PENDING_STELLAR,
        _E.LEDGER_PAYMENT_CONFIRMED: _S.COMPLETED,
        _E.NO_MARKET_FOUND: _S.NO_MARKET,
        _E.REFUND_SENT: _S.PENDING_EXTERNAL,
    },
    _S.PENDING_TRUST: _refundable(_S.PENDING_TRUST)
    | {
        _E.TRUST_FOUND: _S.PENDING_ANCHOR,
        _E.HELD: _S.ON_HOLD,
        _E.REFUND_SENT: _S.PENDING_EXTERNAL,
        _E.LEDGER_PAYMENT_SUBMITTED: _S.PENDING_STELLAR,
        _E.LEDGER_PAYMENT_CONFIRMED: _S.COMPLETED,
    },
    _S.PENDING_STELLAR: {
        _E.LEDGER_PAYMENT_CONFIRMED: _S.COMPLETED,
        _E.LEDGER_PAYMENT_FAILED: _S.PENDING_ANCHOR,
        _E.TRUST_MISSING: _S.PENDING_TRUST,
    },
    _S.PENDING_EXTERNAL: {
        _E.REFUND_COMPLETED: _S.REFUNDED,
        _E.PARTLY_REFUNDED: _S.PENDING_ANCHOR,
        _E.REFUND_FAILED: _S.PENDING_ANCHOR,
        _E.TOO_SMALL_FOUND: _S.TOO_SMALL,
        _E.TOO_LARGE_FOUND: _S.TOO_LARGE,
    },
    _S.NO_MARKET: _refundable(_S.NO_MARKET) | {_E.RECOVERED: _S.PENDING_ANCHOR},
}

_DEPOSIT_BEFORE: dict[Status, _Moves] = {
    _S.INCOMPLETE: {_E.TRUST_MISSING: _S.PENDING_TRUST},
    _S.PENDING_USER_TRANSFER_START: {_E.USER_SAID_SENT: _S.PENDING_EXTERNAL},
    _S.PENDING_EXTERNAL: {
        _E.TOO_SMALL_FOUND: _S.TOO_SMALL,
        _E.TOO_LARGE_FOUND: _S.TOO_LARGE,
    },
    _S.PENDING_TRUST: {_E.TRUST_FOUND: _S.PENDING_USER_TRANSFER_START},
}

#: What SEP-31 has no word for stays where it is, or counts as being under way.
_SEND_AFTER: dict[Status, _Moves] = {
    _S.PENDING_RECEIVER: {
        _E.HELD: _S.PENDING_RECEIVER,
        _E.RELEASED: _S.PENDING_RECEIVER,
        _E.PAYOUT_READY_FOR_PICKUP: _S.PENDING_EXTERNAL,
    },
    _S.PENDING_EXTERNAL: {
        _E.PAYOUT_READY_FOR_PICKUP: _S.PENDING_EXTERNAL,
        _E.REFUND_COMPLETED: _S.REFUNDED,
    },
}

#: What is paid to another anchor, which pays its customer and is asked how that went. A refund
#: by rail shows in no status: `pending_external` says that the money is with the other one.
_REMITTANCE_HOME: _Moves = _refundable(_S.PENDING_ANCHOR) | {
    _E.HELD: _S.ON_HOLD,
    _E.RELEASED: _S.PENDING_ANCHOR,
    _E.REFUND_SENT: _S.PENDING_ANCHOR,
    _E.REFUND_FAILED: _S.PENDING_ANCHOR,
}
_REMITTANCE: dict[Status, _Moves] = {
    _S.PENDING_ANCHOR: _REMITTANCE_HOME
    | {
        _E.CUSTOMER_INFO_NEEDED: _S.PENDING_CUSTOMER_INFO_UPDATE,
        _E.LEDGER_PAYMENT_SUBMITTED: _S.PENDING_STELLAR,
        _E.LEDGER_PAYMENT_CONFIRMED: _S.PENDING_EXTERNAL,
    },
    _S.PENDING_CUSTOMER_INFO_UPDATE: _REMITTANCE_HOME
    | {
        _E.CUSTOMER_INFO_GIVEN: _S.PENDING_ANCHOR,
        _E.PARTLY_REFUNDED: _S.PENDING_CUSTOMER_INFO_UPDATE,
    },
    _S.PENDING_STELLAR: {
        _E.LEDGER_PAYMENT_CONFIRMED: _S.PENDING_EXTERNAL,
        _E.LEDGER_PAYMENT_FAILED: _S.PENDING_ANCHOR,
    },
    _S.PENDING_EXTERNAL: {
        _E.PAYOUT_COMPLETED: _S.COMPLETED,
        _E.PAYOUT_RETURNED: _S.PENDING_ANCHOR,
    },
    _S.ON_HOLD: _refundable(_S.ON_HOLD) | {_E.RELEASED: _S.PENDING_ANCHOR},
    _S.ERROR: _refundable(_S.ERROR) | {_E.RECOVERED: _S.PENDING_ANCHOR},
    _S.EXPIRED: _refundable(_S.EXPIRED) | {_E.RECOVERED: _S.PENDING_ANCHOR},
}

_OVER = frozenset({_S.ERROR, _S.EXPIRED})
_ONLY_WITH_FUNDS = frozenset(
    {_S.ON_HOLD, _S.PENDING_STELLAR, _S.PENDING_USER_TRANSFER_COMPLETE, _S.NO_MARKET}
)
_SEND_STATUSES = frozenset(
    {
        _S.PENDING_SENDER,
        _S.PENDING_RECEIVER,
        _S.PENDING_CUSTOMER_INFO_UPDATE,
        _S.PENDING_TRANSACTION_INFO_UPDATE,
        _S.PENDING_EXTERNAL,
        _S.PENDING_STELLAR,
        _S.COMPLETED,
        _S.REFUNDED,
        _S.EXPIRED,
        _S.ERROR,
    }
)
_DEPOSIT_STATUSES = frozenset(_S) - {
    _S.PENDING_SENDER,
    _S.PENDING_RECEIVER,
    _S.PENDING_USER_TRANSFER_COMPLETE,
}
_REMITTANCE_STATUSES = frozenset(_REMITTANCE) | {
    _S.PENDING_USER_TRANSFER_START,
    _S.COMPLETED,
    _S.REFUNDED,
}
_WITHDRAWAL_STATUSES = frozenset(_S) - {
    _S.PENDING_SENDER,
    _S.PENDING_RECEIVER,
    _S.PENDING_TRUST,
    _S.NO_MARKET,
}

#: Where a transaction may begin.
INITIAL: dict[Kind, frozenset[Status]] = {
    **dict.fromkeys(
        (*DEPOSITS, *WITHDRAWALS),
        frozenset(
            {
                _S.INCOMPLETE,
                _S.PENDING_CUSTOMER_INFO_UPDATE,
                _S.PENDING_ANCHOR,
                _S.PENDING_USER_TRANSFER_START,
            }
        ),
    ),
    Kind.SEND: frozenset({_S.PENDING_SENDER, _S.PENDING_RECEIVER}),
    Kind.REMITTANCE: frozenset({_S.PENDING_USER_TRANSFER_START}),
}


def _merged(*parts: dict[Status, _Moves]) -> dict[Status, _Moves]:
    merged: dict[Status, _Moves] = {}
    for part in parts:
        for status, moves in part.items():
            merged[status] = merged.get(status, {}) | moves
    return merged


@dataclass(frozen=True)
class _Life:
    """How transactions of some kinds live: without funds, and with them."""

    kinds: tuple[Kind, ...]
    statuses: frozenset[Status]
    home: Status
    starts: frozenset[Status]
    only_with_funds: frozenset[Status]
    before: dict[Status, _Moves]
    after: dict[Status, _Moves]

    def rows(self) -> Iterator[Row]:
        """Write out each move, and those that hold in every status that is not over."""
        for status in sorted(self.statuses - FINAL):
            for funds_in in (False, True):
                if funds_in or status not in self.only_with_funds:
                    for event, target in self._moves(status, funds_in=funds_in).items():
                        if target in self.statuses:
                            yield from (
                                Row(kind, status, funds_in, event, target) for kind in self.kinds
                            )

    def _moves(self, status: Status, *, funds_in: bool) -> _Moves:
        moves = dict((self.after if funds_in else self.before).get(status, {}))
        if status in _OVER:
            return moves
        # Funds may be in and not enough yet: this event says that they are.
        moves[_E.FUNDS_RECEIVED] = self.home if status in self.starts else status
        moves[_E.FAILED] = _S.ERROR
        if not funds_in:
            moves[_E.EXPIRED] = _S.EXPIRED
        elif status in self.starts:
            moves |= _refundable(status)  # a part has come, and went back
        return moves


_ANCHOR, _START = _S.PENDING_ANCHOR, _S.PENDING_USER_TRANSFER_START
_LIVES = (
    _Life(
        kinds=WITHDRAWALS,
        statuses=_WITHDRAWAL_STATUSES,
        home=_ANCHOR,
        starts=frozenset({_S.INCOMPLETE, _START}),
        only_with_funds=_ONLY_WITH_FUNDS | {_S.PENDING_EXTERNAL},
        before=_before_funds(_ANCHOR, _START),
        after=_merged(_paying_by_rail(_ANCHOR), _with_funds(_ANCHOR)),
    ),
    _Life(
        kinds=DEPOSITS,
        statuses=_DEPOSIT_STATUSES,
        home=_ANCHOR,
        starts=frozenset({_S.INCOMPLETE, _START, _S.PENDING_EXTERNAL}),
        only_with_funds=_ONLY_WITH_FUNDS,
        before=_merged(_before_funds(_ANCHOR, _START), _DEPOSIT_BEFORE),
        after=_merged(_PAYING_ON_LEDGER, _with_funds(_ANCHOR)),
    ),
    _Life(
        kinds=(Kind.SEND,),
        statuses=_SEND_STATUSES,
        home=_S.PENDING_RECEIVER,
        starts=frozenset({_S.PENDING_SENDER}),
        only_with_funds=_ONLY_WITH_FUNDS | {_S.PENDING_EXTERNAL},
        before=_before_funds(_S.PENDING_RECEIVER, _S.PENDING_SENDER),
        after=_merged(
            _paying_by_rail(_S.PENDING_RECEIVER), _with_funds(_S.PENDING_RECEIVER), _SEND_AFTER
        ),
    ),
    _Life(
        kinds=(Kind.REMITTANCE,),
        statuses=_REMITTANCE_STATUSES,
        home=_ANCHOR,
        starts=frozenset({_START}),
        only_with_funds=_REMITTANCE_STATUSES - {_START} - _OVER,
        before={},
        after=_REMITTANCE,
    ),
)

TABLE: tuple[Row, ...] = tuple(row for life in _LIVES for row in life.rows())
_TARGETS = {(row.kind, row.status, row.funds_in, row.event): row.target for row in TABLE}
_STATUSES = {kind: life.statuses for life in _LIVES for kind in life.kinds}


def statuses_of(kind: Kind) -> frozenset[Status]:
    """Return the statuses that a transaction of this kind can ever have."""
    return _STATUSES[kind]


def is_legal(kind: Kind, status: Status, *, funds_in: bool, event: Event) -> bool:
    """Tell whether the table has a row for it."""
    return (kind, status, funds_in, event) in _TARGETS


def next_status(kind: Kind, status: Status, *, funds_in: bool, event: Event) -> Status:
    """Return where `event` leads, or raise `NoSuchMove`.

    `funds_in` tells whether credited receipts were there before the event.
    """
    target = _TARGETS.get((kind, status, funds_in, event))
    if target is None:
        money = "with" if funds_in else "without"
        raise NoSuchMove(f"a {kind} that is {status} {money} funds cannot have {event}")
    return target
