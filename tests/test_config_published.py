"""What may be published in stellar.toml, and what is refused before it is."""

from pathlib import Path

import pytest
from stellar_sdk import Keypair

from anchor import config
from anchor.config.file import FileSchema
from tests.test_config import GOOD, ISSUER, environ, problems

CONTRACT = "CALI6JC3MSNDGFRP7Z2OKUEPREHOJRRXKMJEWQDEFZPFGXALA45RAUTH"
SIGNATURE = "A" * 86 + "=="


def test_everything_of_sep_1_can_be_said(tmp_path: Path) -> None:
    """SEP1-20 to 27; the doors' tests show that it is served."""
    text = f"""{GOOD}
[assets.USDC.toml]
code_template = "USD?"
status = "live"
display_decimals = 2
name = "US Dollar"
desc = "Dollars"
conditions = "none"
image = "https://anchor.example/usdc.png"
max_number = 1000
is_asset_anchored = true
anchor_asset_type = "fiat"
anchor_asset = "USD"
attestation_of_reserve = "https://anchor.example/reserve"
redemption_instructions = "SEP-24"
collateral_addresses = ["2C1mCx3ukix1KfegAY5zgQJV7sanAciZpv"]
collateral_address_messages = ["…"]
collateral_address_signatures = ["{SIGNATURE}"]
regulated = true
approval_server = "https://anchor.example/approve"
approval_criteria = "ask"
[organization]
ORG_NAME = "Anchor"
ORG_URL = "https://anchor.example"
ORG_PHONE_NUMBER = "+14155552671"
ORG_PHYSICAL_ADDRESS_ATTESTATION = "https://anchor.example/address.png"
ORG_OFFICIAL_EMAIL = "office@anchor.example"
[stellar_toml]
federation_server = "https://anchor.example/federation"
uri_request_signing_key = "{ISSUER}"
accounts = ["{ISSUER}"]
[[principals]]
name = "Ada"
id_photo_hash = "{"0" * 64}"
[[validators]]
ALIAS = "ours-1"
PUBLIC_KEY = "{ISSUER}"
HOST = "core.example:11625"
HISTORY = "http://history.example/1"
[[currencies]]
code = "TOK"
contract = "{CONTRACT}"
[[currencies]]
toml = "https://anchor.example/.well-known/EURC.toml"
"""
    found = config.load(environ(tmp_path, text)).published
    assert found.general["FEDERATION_SERVER"] == "https://anchor.example/federation"
    assert found.principals[0]["name"] == "Ada"
    assert found.currencies[0]["contract"] == CONTRACT
    assert found.assets["USDC"]["anchor_asset_type"] == "fiat"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("[organization]\nORG_SLOGAN = 'x'", "ORG_SLOGAN is not a field of SEP-1"),
        ("[organization]\nORG_URL = 'http://anchor.example'", "must be an address that begins"),
        ("[organization]\nORG_URL = 'https://elsewhere.example'", "must be at the home domain"),
        ("[organization]\nORG_PHONE_NUMBER = '0123'", "E.164"),
        ("[organization]\nORG_OFFICIAL_EMAIL = 'a@b.example'", "must be at the domain of ORG_URL"),
        ("[organization]\nORG_OFFICIAL_EMAIL = 'nobody'", "e-mail"),
        (
            "[organization]\nORG_PHONE_NUMBER_ATTESTATION = 'https://b.example/x'",
            "must be at the domain of ORG_URL",
        ),
        ("[[principals]]\nemail = 'a@b.example'", "name"),
        ("[[principals]]\nname = 'x'\nid_photo_hash = 'x'", "SHA-256"),
        (f"[[validators]]\nALIAS = 'A'\nPUBLIC_KEY = '{ISSUER}'", "ALIAS must be 2 to 16"),
        ("[[validators]]\nALIAS = 'ab'\nPUBLIC_KEY = 'G'", "must be an account"),
        (f"[[currencies]]\nissuer = '{ISSUER}'", "has no code"),
        ("[[currencies]]\ncode = 'ABCDEFGHIJKLM'", "1 to 12"),
        ("[[currencies]]\ncode = 'X'", "an issuer or a contract"),
        (
            f"[[currencies]]\ncode = 'X'\nissuer = '{ISSUER}'\ncontract = '{CONTRACT}'",
            "an issuer or a contract",
        ),
        ("[[currencies]]\ncode = 'X'\ncontract = 'C'", "must be a contract"),
        ("[[currencies]]\ntoml = 'https://a.example/x'\ncode = 'X'", "no other field"),
        ("[assets.USDC.toml]\nstatus = 'good'", "status must be one of"),
        ("[assets.USDC.toml]\nname = '123456789012345678901'", "name length"),
        ("[assets.USDC.toml]\ndisplay_decimals = 8", "display_decimals must be"),
        ("[assets.USDC.toml]\nmax_number = 1\nis_unlimited = true", "more than one of"),
        ("[assets.USDC.toml]\nanchor_asset_type = 'gold'", "anchor_asset_type must be one of"),
        ("[assets.USDC.toml]\ncollateral_addresses = ['a']", "not equally long"),
        ("[assets.USDC.toml]\nregulated = true", "approval_server"),
        ("[assets.USDC.toml]\nimage = 'usdc.png'", "https://"),
        ("[stellar_toml]\nfederation_server = 'http://a.example'", "https://"),
        ("[stellar_toml]\nauth_server = 'https://a.example'", "is not a field of SEP-1"),
        ("[web_auth]\nrequest_header = 'maybe'", "request_header must be one of"),
        ("[web_auth]\ncontract_id = 'C'", "contract_id must be a contract"),
    ],
)
def test_what_is_not_as_sep_1_has_it_is_refused(tmp_path: Path, table: str, reason: str) -> None:
    assert reason.lower() in problems(tmp_path, f"{GOOD}\n{table}\n").lower()


def with_seps(seps: str) -> str:
    return GOOD.replace("[anchor]", f"[anchor]\nseps = {seps}")


def test_contract_accounts_need_a_contract_and_an_rpc(tmp_path: Path) -> None:
    told = problems(tmp_path, with_seps("[1, 10, 45]"))
    assert "web_auth.contract_id" in told
    assert "ANCHOR_RPC_URL" in told
    text = with_seps("[1, 10, 45]") + f"[web_auth]\ncontract_id = '{CONTRACT}'\n"
    found = config.load(environ(tmp_path, text, ANCHOR_RPC_URL="https://rpc.example/"))
    assert (found.web_auth.contract_id, found.rpc_url) == (CONTRACT, "https://rpc.example")
    assert found.web_auth.contract_credentials == "legacy"
    assert "ANCHOR_RPC_URL must be" in problems(tmp_path, text, ANCHOR_RPC_URL="rpc.example")


def test_home_domains_may_be_patterns_but_not_the_first(tmp_path: Path) -> None:
    one = 'home_domains = ["anchor.example"]'
    text = GOOD.replace(one, 'home_domains = ["anchor.example", "*.anchor.example"]')
    assert config.load(environ(tmp_path, text)).home_domains[1] == "*.anchor.example"
    assert "no *. pattern" in problems(
        tmp_path, GOOD.replace(one, 'home_domains = ["*.anchor.example"]')
    )
    for bad in ("a.*.example", "*example", "**.example", "anchor.example/", "*"):
        assert "home_domains" in problems(
            tmp_path, GOOD.replace(one, f'home_domains = ["anchor.example", "{bad}"]')
        )


def test_keys_of_tokens_are_checked_when_the_settings_are_read(tmp_path: Path) -> None:
    told = problems(tmp_path, ANCHOR_JWT_SECRET=f"a:{'x' * 40} b:short")
    assert "ANCHOR_JWT_SECRET needs 32 bytes or more" in told
    assert "short" not in told
    found = config.load(environ(tmp_path, ANCHOR_JWT_SECRET=f"a:{'x' * 40} b:{'y' * 40}"))
    assert "xxx" not in repr(found)


def test_a_file_of_before_still_loads() -> None:
    assert (
        FileSchema().load(
            {
                "anchor": {},
                "network": {"passphrase": "x"},
                "assets": {"X": {"distribution": Keypair.random().public_key}},
            }
        )["principals"]
        == []
    )


@pytest.mark.conforms("GEN-01", "SEP6-06", "SEP24-04", "SEP31-05")
def test_the_public_address_is_https_outside_development(tmp_path: Path) -> None:
    text = GOOD.replace("https://anchor.example", "http://anchor.example")
    assert "ANCHOR_PUBLIC_URL must begin with https://" in problems(tmp_path, text)
    found = config.load(environ(tmp_path, text), development=True)
    assert found.public_url == "http://anchor.example"


def test_deposits_and_withdrawals_without_pages_need_customers(tmp_path: Path) -> None:
    assert "SEP-6 needs SEP-12" in problems(tmp_path, with_seps("[1, 6, 10]"))
