"""What the configuration says of sends, and what it may not say."""

from pathlib import Path

import pytest

from anchor import config
from anchor.policies import ReceivingAnchor, SendingAnchor, SendPolicy
from tests.test_config import GOOD, ISSUER, environ, problems

KEYS = "one:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SEP31 = GOOD.replace("[network]", "seps = [1, 10, 12, 31]\n[network]")
KNOWN = """
[assets.USDC.send]
[customers.types.sep31-sender.fields]
first_name = {}
[customers.types.big.fields]
first_name = {}
"""
AGREED = f"""
[sending_anchors.remitter]
accounts = ["{ISSUER}"]
"""


def told(tmp_path: Path, text: str) -> str:
    return problems(tmp_path, text, ANCHOR_CUSTOMER_KEYS=KEYS)


def loaded(tmp_path: Path, text: str) -> config.Settings:
    return config.load(environ(tmp_path, text, ANCHOR_CUSTOMER_KEYS=KEYS))


def test_an_agreement_is_two_lines(tmp_path: Path) -> None:
    found = loaded(tmp_path, SEP31 + KNOWN + AGREED)
    assert found.sending_anchors == {ISSUER: SendingAnchor("remitter", (ISSUER,), "stellar")}
    assert found.assets["USDC"].sends == SendPolicy(sender_types=("sep31-sender",))


def test_everything_of_a_send_can_be_said(tmp_path: Path) -> None:
    more = """kyc = "before"
quotes_required = true
sender_types = []
receiver_types = ["big", "sep31-sender"]
"""
    text = KNOWN.replace("[assets.USDC.send]\n", f"[assets.USDC.send]\n{more}")
    found = loaded(tmp_path, SEP31 + text + AGREED + 'settlement = "rail"\n')
    assert found.sending_anchors[ISSUER].settlement == "rail"
    assert found.assets["USDC"].sends == SendPolicy(
        quotes_required=True,
        waits_for_customers=False,
        receiver_types=("big", "sep31-sender"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (KNOWN, "no [sending_anchors] say with whom that is agreed"),
        (KNOWN + '[sending_anchors.x]\naccounts = ["G"]\n', "must be an account (G…)"),
        (KNOWN + "[sending_anchors.x]\naccounts = []\n", "sending_anchors.x.accounts"),
        (
            KNOWN + AGREED + AGREED.replace("remitter", "other"),
            f"sending_anchors.other: {ISSUER} is also one of remitter.",
        ),
        (KNOWN + AGREED + 'settlement = "cash"\n', "settlement"),
        (
            KNOWN.replace("[assets.USDC.send]", '[assets.USDC.send]\nsender_types = ["x"]')
            + AGREED,
            "assets.USDC.send.sender_types: x is not in [customers.types].",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in told(tmp_path, SEP31 + text)


@pytest.mark.conforms("SEP1-12")
def test_sends_are_nothing_without_customers(tmp_path: Path) -> None:
    without = SEP31.replace("12, 31", "31") + KNOWN + AGREED
    assert "SEP-31 needs SEP-12: add 12 to anchor.seps." in told(tmp_path, without)


def test_development_mode_takes_sends_of_anybody(tmp_path: Path) -> None:
    text = SEP31 + "[assets.USDC.send]\n"
    found = config.load(environ(tmp_path, text, ANCHOR_CUSTOMER_KEYS=KEYS), development=True)
    assert found.sending_anchors == {}
    sends = found.assets["USDC"].sends
    assert (sends.sender_types, sends.receiver_types) == (("sep31-sender",), ("sep31-receiver",))


SENDS_TO = """
[receiving_anchors."receiver.example"]
cap = "10000"
"""


def test_whom_we_send_to_is_a_domain_and_a_cap(tmp_path: Path) -> None:
    found = loaded(tmp_path, GOOD + SENDS_TO)
    assert found.receiving_anchors == {
        "receiver.example": ReceivingAnchor("receiver.example", 10_000_0000000)
    }
    assert loaded(tmp_path, GOOD).receiving_anchors == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SENDS_TO.replace("cap", "# cap"), "receiving_anchors.receiver.example.cap missing data"),
        (SENDS_TO.replace("receiver.ex", "https://receiver.ex"), "receiving_anchors"),
        (SENDS_TO.replace('"10000"', "10000"), "must be an amount in quotes"),
        (SENDS_TO + "daily = 5\n", "is not a setting that the anchor knows"),
    ],
)
def test_whom_we_send_to_is_refused_with_the_reason(
    tmp_path: Path, text: str, problem: str
) -> None:
    assert problem in told(tmp_path, GOOD + text)


def test_promise_15_without_a_key_to_encrypt_by_nobody_is_sent_to(tmp_path: Path) -> None:
    assert "ANCHOR_CUSTOMER_KEYS is not set" in problems(tmp_path, GOOD + SENDS_TO)
