"""What waits for a customer, and is told of every change in the commit that makes it."""

from collections.abc import Callable

from anchor.customers.standing import Stand

#: What is told: the customer's id, the type, and how the customer stands for it now.
Follower = Callable[[str, str, Stand], None]
_followers: list[Follower] = []


def follow(follower: Follower) -> None:
    """Have `follower` told of every change, inside the transaction that makes it."""
    _followers.append(follower)


def customer_stands(customer_id: str, type_: str, stand: Stand) -> None:
    """Move on what waits for a customer (SEP12-48). Needs an open transaction.

    Called in the same commit as the verdict or the upload that changed how the customer
    stands: a transaction in `pending_customer_info_update` goes on with it, or not at all.
    """
    for follower in _followers:
        follower(customer_id, type_, stand)
