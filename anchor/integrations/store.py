"""The built-in way with customers: the rules of the file, judged by themselves or by people."""

import json
import logging
from dataclasses import dataclass
from typing import ClassVar

from anchor import outgoing
from anchor.errors import Rejected
from anchor.integrations.customers import (
    Accepted,
    CustomerRecord,
    CustomersIntegration,
    CustomersTraits,
    Occasion,
    Undecided,
    Verdict,
)

log = logging.getLogger(__name__)
_TIMEOUT_S = 10


@dataclass
class RuledStore(CustomersIntegration):
    """Accepts whoever gave everything, or leaves it to people, as the file says of each type.

    Codes are posted as JSON to the business's own `codes_url`, which brings them to the
    customer by mail or message. The option `log_codes`, which only development mode sets,
    writes them to the log instead.
    """

    traits: ClassVar[CustomersTraits] = CustomersTraits(
        judges_at_once=True, reads_documents=False, timeout_s=_TIMEOUT_S
    )

    def judge(self, record: CustomerRecord, occasion: Occasion) -> Verdict:
        """Accept, where the rules of the type do so by themselves."""
        return Accepted() if self.rules[occasion.type].is_automatic else Undecided()

    def send_code(self, record: CustomerRecord, name: str, code: str) -> None:
        """Post field, value and code to `codes_url`."""
        url = self.options.get("codes_url")
        if url is None:
            if not self.options.get("log_codes"):
                raise Rejected("[customers.options] has no codes_url")
            log.warning("the code for %s of customer %s is %s", name, record.customer_id, code)
            return
        told = {"customer_id": record.customer_id, "field": name, "value": record.values[name]}
        body = json.dumps(told | {"code": code}).encode()
        headers = {"Content-Type": "application/json"}
        # The address is the operator's own, so it may well be an inner one.
        outgoing.post(str(url), body, headers, timeout_s=_TIMEOUT_S, allow_private=True)
