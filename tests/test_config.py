"""Settings are refused with every reason at once, one sentence each."""

from pathlib import Path

import pytest

from anchor import config
from anchor.errors import Misconfigured
from anchor.schedule import problem_of

ISSUER = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
SEED = "SAAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6NKI"
GOOD = f"""
[anchor]
home_domains = ["anchor.example"]
public_url = "https://anchor.example"
[network]
passphrase = "Test SDF Network ; September 2015"
horizon_url = "https://horizon.example"
[assets.USDC]
issuer = "{ISSUER}"
distribution = "{ISSUER}"
[assets.USDC.withdrawal]
min_amount = "1"
max_amount = "100"
fee_percent = "0.5"
"""


def environ(folder: Path, text: str = GOOD, **more: str) -> dict[str, str]:
    file = folder / "anchor.toml"
    file.write_text(text)
    return {
        "ANCHOR_CONFIG": str(file),
        "ANCHOR_DATABASE_URL": "postgresql://u:p@localhost/x",
        "ANCHOR_SIGNING_SECRET": SEED,
        "ANCHOR_JWT_SECRET": "x" * 32,
        **more,
    }


def problems(folder: Path, text: str = GOOD, drop: str = "", **more: str) -> str:
    values = environ(folder, text, **more)
    values.pop(drop, None)
    with pytest.raises(Misconfigured) as caught:
        config.load(values)
    return "\n".join(caught.value.problems)


def test_a_good_configuration_is_read(tmp_path: Path) -> None:
    found = config.load(environ(tmp_path))
    assert found.assets["USDC"].withdrawal.max_amount == 100_0000000
    assert found.web_auth_domain == "anchor.example"
    assert found.database_url.startswith("postgresql+psycopg://")
    assert found.broker_url is None


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"1"', '"1e3"') + "\n[wrong]\na = 1\n"
    said = problems(tmp_path, text, "ANCHOR_JWT_SECRET", ANCHOR_SIGNING_SECRET="x", ANCHOR_X="1")
    assert "assets.USDC.withdrawal.min_amount must be an amount in quotes" in said
    assert "wrong is not a setting" in said
    assert "ANCHOR_X in the environment is not a setting" in said


def test_a_budget_of_no_requests_is_refused(tmp_path: Path) -> None:
    said = problems(tmp_path, GOOD.replace("[network]", "[network]\ntrust_requests_per_minute = 0"))
    assert "network.trust_requests_per_minute must be greater than or equal to 1" in said


def test_missing_secrets_are_told_at_once(tmp_path: Path) -> None:
    values = environ(tmp_path)
    for name in ("ANCHOR_JWT_SECRET", "ANCHOR_SIGNING_SECRET", "ANCHOR_DATABASE_URL"):
        values.pop(name)
    with pytest.raises(Misconfigured) as caught:
        config.load(values)
    assert len(caught.value.problems) == 3


def test_contradictions_are_refused(tmp_path: Path) -> None:
    assert "above max_amount" in problems(tmp_path, GOOD.replace('"1"', '"101"'))
    assert "https://" in problems(tmp_path, ANCHOR_PUBLIC_URL="http://anchor.example")
    assert "32 bytes" in problems(tmp_path, ANCHOR_JWT_SECRET="short")
    assert "secret key" in problems(tmp_path, ANCHOR_SIGNING_SECRET=ISSUER)
    assert "redis://" in problems(tmp_path, ANCHOR_BROKER_URL="http://x")
    assert "names an asset" in problems(tmp_path, ANCHOR_DISTRIBUTION_SECRET_EURC=SEED)


def test_a_tolerance_is_in_the_asset_or_in_per_cent(tmp_path: Path) -> None:
    def text(*lines: str) -> str:
        return GOOD.replace("[assets.USDC.w", "\n".join([*lines, "[assets.USDC.w"]), 1)

    matching, percent = 'matching = "tolerance"', 'tolerance_percent = "10"'
    found = config.load(environ(tmp_path, text(matching, percent))).assets["USDC"]
    assert [found.slack(amount) for amount in (100, 109, 2**63 - 1, None)] == [
        10,
        10,
        2**63 // 10,
        0,
    ]
    absolute = config.load(environ(tmp_path, text(matching, 'tolerance = "1"'))).assets["USDC"]
    assert [absolute.slack(amount) for amount in (1, None)] == [10_000_000, 10_000_000]
    assert "needs a tolerance" in problems(tmp_path, text(matching))
    assert "both there" in problems(tmp_path, text(matching, percent, 'tolerance = "1"'))


def test_the_key_of_an_issuer_is_kept_with_those_of_the_house(tmp_path: Path) -> None:
    found = config.load(environ(tmp_path, ANCHOR_ISSUER_SECRET_USDC=SEED))
    assert found.keys[ISSUER] == SEED
    assert SEED not in repr(found)
    assert "names an asset" in problems(tmp_path, ANCHOR_ISSUER_SECRET_EURC=SEED)
    assert "secret key" in problems(tmp_path, ANCHOR_ISSUER_SECRET_USDC=ISSUER)


def test_lumens_have_no_trust_lines_to_authorize(tmp_path: Path) -> None:
    lumens = (
        f'\n[assets.native]\ndistribution = "{ISSUER}"\n'
        "[assets.native.deposit]\nauthorize_trustlines = true\n"
    )
    assert "no trust lines to authorize" in problems(tmp_path, GOOD + lumens)


def test_a_float_is_no_amount(tmp_path: Path) -> None:
    assert "in quotes" in problems(tmp_path, GOOD.replace('"0.5"', "0.5"))


def test_promise_15_a_secret_comes_from_a_file_and_shows_itself_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text(SEED + "\n")
    values = environ(tmp_path, ANCHOR_SIGNING_SECRET_FILE=str(file))
    values.pop("ANCHOR_SIGNING_SECRET")
    found = config.load(values)
    assert found.signing_secret == SEED
    assert SEED not in repr(found)
    assert "u:p@" not in repr(found)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    said = problems(tmp_path, ANCHOR_SIGNING_SECRET_FILE="/nowhere")
    assert "both set" in said


def test_development_mode_needs_that_nothing_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config.is_development({})
    assert not config.is_development({"ANCHOR_DATABASE_URL": "x"})
    assert not config.is_development({"ANCHOR_DATABASE_URL_FILE": "x"})
    (tmp_path / "anchor.toml").write_text("")
    assert not config.is_development({})


def test_development_mode_refuses_the_public_network(tmp_path: Path) -> None:
    text = GOOD.replace("Test SDF Network ; September 2015", config.PUBLIC_PASSPHRASE)
    with pytest.raises(Misconfigured, match="public network"):
        config.load(environ(tmp_path, text), development=True)


@pytest.mark.parametrize("spec", ["* * * * *", "*/5 * * * *", "0 9 1 1,4 *", "0 3 * * 7", "off"])
def test_specs_that_the_scheduler_reads_rightly(spec: str) -> None:
    assert problem_of(spec) is None


@pytest.mark.parametrize(
    "spec",
    [
        "@weekly",
        "0 0 * * 0",
        "* * * * sun",
        "*/10 * * * * *",
        "61 * * * *",
        "0 0 * 5 1",
        "",
        "*/0 * * * *",
        "5-1 * * * *",
    ],
)
def test_specs_that_the_scheduler_would_misread_are_refused(spec: str) -> None:
    assert problem_of(spec)


def test_a_mistyped_account_or_secret_is_told_before_anything_starts(tmp_path: Path) -> None:
    typo = ISSUER[:-1] + ("B" if ISSUER[-1] == "A" else "A")
    said = problems(tmp_path, GOOD.replace(ISSUER, typo), ANCHOR_SIGNING_SECRET=SEED[:-1] + "A")
    assert "assets.USDC.issuer must be an account" in said
    assert "assets.USDC.distribution must be an account" in said
    assert "ANCHOR_SIGNING_SECRET must be a secret key" in said


def test_home_domains_default_to_the_public_address(tmp_path: Path) -> None:
    text = GOOD.replace('home_domains = ["anchor.example"]\n', "")
    found = config.load(environ(tmp_path, text, ANCHOR_PUBLIC_URL="https://pay.example:8443"))
    assert found.home_domains == ("pay.example:8443",)


def test_the_kind_of_broker_is_read_from_a_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "broker"
    file.write_text("amqp://user:secret@rabbit/\n")
    monkeypatch.delenv("ANCHOR_BROKER_URL", raising=False)
    monkeypatch.setenv("ANCHOR_BROKER_URL_FILE", str(file))
    assert config.broker_kind() == "amqp"


def test_sources_of_the_network_are_a_list(tmp_path: Path) -> None:
    two = "https://a.example, https://b.example/"
    found = config.load(environ(tmp_path, ANCHOR_HORIZON_URL=two))
    assert found.horizon_urls == ("https://a.example", "https://b.example")
    assert found.horizon_url == "https://a.example"
    told = problems(tmp_path, ANCHOR_HORIZON_URL="https://a.example,https://a.example/")
    assert "names one source twice" in told
    assert "commas" in problems(tmp_path, ANCHOR_HORIZON_URL="https://a.example,")


def test_sources_of_the_network_stand_in_the_file(tmp_path: Path) -> None:
    listed = 'horizon_urls = ["https://a.example", "https://b.example"]'
    env = environ(tmp_path)
    file = Path(env["ANCHOR_CONFIG"])
    text = file.read_text()
    file.write_text(text.replace('horizon_url = "https://horizon.example"', listed))
    assert config.load(env).horizon_urls == ("https://a.example", "https://b.example")
    file.write_text(text.replace("[network]", f"[network]\n{listed}"))
    with pytest.raises(Misconfigured, match="keep one"):
        config.load(env)


def test_a_broker_behind_sentinels_needs_its_masters_name(tmp_path: Path) -> None:
    url = "redis+sentinel://one,two/0"
    assert "must name the master" in problems(tmp_path, ANCHOR_BROKER_URL=url)
    found = config.load(environ(tmp_path, ANCHOR_BROKER_URL=url + "?master=m"))
    assert found.broker_url == url + "?master=m"
