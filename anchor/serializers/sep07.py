"""SEP-7: the link by which a wallet is asked to pay, and the same as a picture to scan."""

from urllib.parse import quote

import segno

from anchor.assets import StellarAsset
from anchor.config import PUBLIC_PASSPHRASE
from anchor.money import format_amount
from anchor.serializers.transaction_words import is_paid_by_contract
from anchor.services.views import View

_MEMO_TYPES = {"id": "MEMO_ID", "text": "MEMO_TEXT", "hash": "MEMO_HASH"}


def pay_link(view: View, passphrase: str) -> str | None:
    """Return the request for exactly what a withdrawal waits for (SEP7-01, SEP7-03).

    None where there is no memo to pay under yet, and for a contract account: what a wallet makes
    of such a request is a payment, which no contract can give.
    """
    row, memo = view.row, view.memo
    if memo is None or row.amount_in is None or is_paid_by_contract(view):
        return None
    asset = StellarAsset.parse(row.asset)
    words = {"destination": memo.account_id, "amount": format_amount(row.amount_in)}
    if asset.issuer is not None:
        words |= {"asset_code": asset.code, "asset_issuer": asset.issuer}
    words |= {"memo": memo.memo, "memo_type": _MEMO_TYPES[memo.memo_type]}
    if passphrase != PUBLIC_PASSPHRASE:
        words["network_passphrase"] = passphrase
    return "web+stellar:pay?" + "&".join(
        f"{name}={quote(value, safe='')}" for name, value in words.items()
    )


def picture(text: str, title: str) -> str:
    """Return a text as a QR code: an SVG to stand in a page, without styles of its own."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(
        scale=4, border=3, dark="#000", light="#fff", svgclass="qr", title=title, omitsize=True
    )
