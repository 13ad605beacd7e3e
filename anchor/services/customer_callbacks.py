"""Where a customer's changes are told: registered by its wallet, the newest address counts."""

from sqlalchemy.dialects.postgresql import insert

from anchor.errors import NotFound, Rejected
from anchor.extensions import atomic, db
from anchor.models import CustomerCallback
from anchor.services import callbacks, customers
from anchor.services.customers import Target


@atomic
def register(target: Target, url: str) -> None:
    """Tell `url` of every change from now on, until the first final one (SEP12-70, SEP12-71).

    `Rejected` for an address that is never posted to, `NotFound` where nothing is known.
    """
    if len(url) > callbacks.MAX_URL_CHARS:
        raise Rejected("url is too long")
    callbacks.check_url(url)
    customer = customers.hold(target)
    if customer is None:
        raise NotFound("nothing is known of this customer")
    statement = insert(CustomerCallback).values(customer_id=customer.id, url=url)
    db.session.execute(
        statement.on_conflict_do_update(index_elements=["customer_id"], set_={"url": url})
    )
