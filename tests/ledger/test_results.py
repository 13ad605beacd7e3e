"""Result codes are read by Horizon's words, from what a real network answered."""

import pytest
from stellar_sdk import xdr

from anchor.errors import Rejected
from anchor.ledger.results import _word, read_verdict
from tests.sandbox.recording import load

FAILURES = [
    vector["body"]["extras"]
    for vector in load("transactions")["vectors"]
    if (vector["body"].get("extras") or {}).get("result_codes")
]


def test_each_recorded_failure_is_read_in_the_words_of_horizon() -> None:
    assert len(FAILURES) > 50
    for extras in FAILURES:
        verdict, codes = read_verdict(extras["result_xdr"]), extras["result_codes"]
        assert verdict.transaction_code == codes["transaction"]
        assert verdict.inner_code == codes.get("inner_transaction")
        assert list(verdict.operation_codes) == codes.get("operations", [])
        assert not verdict.is_successful


def test_each_recorded_success_is_one() -> None:
    bodies = [v["body"] for v in load("transactions")["vectors"] if v["status"] == 200]
    assert len(bodies) > 30
    for body in bodies:
        verdict = read_verdict(body["result_xdr"])
        assert verdict.is_successful
        assert verdict.code == "tx_success"
        assert set(verdict.operation_codes) == {"op_success"}
        assert len(verdict.operation_codes) == body["operation_count"]
        assert verdict.fee_charged == int(body["fee_charged"])
        assert not verdict.failed_operations


def test_every_code_that_the_protocol_knows_has_a_word_of_its_own() -> None:
    kinds = [kind for name, kind in vars(xdr).items() if name.endswith("ResultCode")]
    assert len(kinds) > 25
    for kind in kinds:
        words = [_word(code) for code in kind if code.name != "opINNER"]
        assert len(set(words)) == len(words), kind
        for word in set(words) - OF_CALLS:
            assert word.startswith(("op_", "tx_"))
            assert word == word.lower()


#: Horizon's words for how a call of a contract ends have no prefix (its package codes).
OF_CALLS = {
    "function_trapped",
    "resource_limit_exceeded",
    "entry_archived",
    "insufficient_refundable_fee",
}


def test_the_ends_of_a_call_of_a_contract_have_the_words_of_horizon() -> None:
    words = {_word(code) for code in xdr.InvokeHostFunctionResultCode}
    assert words == {*OF_CALLS, "op_success", "op_malformed"}
    assert _word(xdr.TransactionResultCode.txSOROBAN_INVALID) == "tx_soroban_invalid"


@pytest.mark.parametrize("text", ["", "AAAA", "no base-64 at all", "AAAAAAAAAGT////7AAAA"])
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_verdict(text)
