"""What a hostile reading found, so that it stays found."""

import pytest

from tests.doors.test_sep12_files import listed, uploaded
from tests.knowing import NAMES, Kyc
from tests.world import World

JSON = {"Content-Type": "application/json"}
#: A few letters that stand for 100 MB of digits, or for more than a `Decimal` can hold.
HUGE = ("1e99999999", "-1e99999999", "1e-99999999", "0e99999999", "1e99999999999999999999")


@pytest.mark.parametrize("number", HUGE)
def test_no_number_in_a_body_becomes_gigabytes_of_digits(world: World, number: str) -> None:
    client = world.app.test_client()
    headers = world.log_in(client) | JSON
    raw = f'{{"asset_code": "USDC", "amount": {number}}}'
    for path in ("/auth", "/sep24/transactions/deposit/interactive", "/sep38/quote"):
        answer = client.post(path, data=raw, headers=headers)
        assert answer.status_code == 400
        assert answer.json == {"error": "a number in the body is too large or too small"}


@pytest.mark.parametrize("name", ["id", "memo", "occupation"])
def test_nor_does_one_that_says_something_of_a_customer(kyc: Kyc, name: str) -> None:
    headers = kyc.log_in() | JSON
    for number in HUGE:
        answer = kyc.client.put("/kyc/customer", data=f'{{"{name}": {number}}}', headers=headers)
        assert answer.status_code == 400
        assert "too large or too small" in answer.json["error"]


def test_a_file_of_one_customer_is_not_anothers_and_either_can_be_erased(kyc: Kyc) -> None:
    headers, me = kyc.log_in(), kyc.world.payer.public_key
    file_id = uploaded(kyc, headers)
    first = kyc.registered(headers, memo="1", photo_id_front_file_id=file_id)
    kyc.registered(headers, memo="2", **NAMES)
    refused = kyc.put(headers, memo="2", photo_id_front_file_id=file_id)
    assert refused.status_code == 400
    assert refused.json == kyc.put(headers, memo="2", photo_id_front_file_id="f" * 32).json
    assert [each["customer_id"] for each in listed(kyc, headers, file_id=file_id)] == [first]
    twice = {"photo_id_front_file_id": file_id, "photo_id_back_file_id": file_id}
    assert kyc.put(headers, memo="1", **twice).status_code == 202
    for memo in ("2", "1"):
        gone = kyc.client.delete(f"/kyc/customer/{me}", json={"memo": memo}, headers=headers)
        assert gone.status_code == 200
    assert listed(kyc, headers, file_id=file_id) == []
