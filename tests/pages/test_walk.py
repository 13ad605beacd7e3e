import pytest

from tests.knowing import PNG
from tests.pages.conftest import SCREENSHOTS, SIZES


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", ["deposit", "withdraw"])
def test_look(site, chromium, size, way, tmp_path):
    context = chromium.new_context(viewport=SIZES[size], locale="en-US")
    page = context.new_page()
    page.set_default_timeout(20000)
    page.on("console", lambda m: print("CONSOLE", m.text))
    page.on("pageerror", lambda m: print("ERROR", m))
    n = [0]

    def shot(name):
        n[0] += 1
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{way}-{size}-{n[0]:02}-{name}.png", full_page=True)

    page.goto(site.opened(way))
    shot("amount")
    page.fill("#amount", "0.5")
    page.wait_for_timeout(800)
    shot("amount-low")
    page.click("button.go")
    shot("amount-refused")
    page.fill("#amount", "250")
    page.wait_for_timeout(900)
    shot("amount-price")
    page.select_option("[name=other]", label="BRL")
    page.wait_for_timeout(900)
    shot("amount-brl")
    page.select_option("[name=other]", index=0)
    page.click("button.go")
    shot("customer")
    page.click("button.go")
    shot("customer-refused")
    png = tmp_path / "p.png"
    png.write_bytes(PNG)
    for k, v in {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "birth_date": "1990-12-31",
        "address": "Main St 1\nTown",
        "email_address": "ada@example.org",
    }.items():
        page.fill(f"#{k}", v)
    page.select_option("#address_country_code", "BRA")
    page.select_option("#id_type", "passport")
    page.set_input_files("#photo_id_front", png)
    page.click("button.go")
    page.wait_for_timeout(500)
    shot("customer-code")
    print(page.url)
    if "customer" in page.url:
        from sqlalchemy import func, update

        from anchor.extensions import db, transaction
        from anchor.models import CustomerField

        with transaction():
            db.session.execute(update(CustomerField).values(verified_at=func.now()))
        page.goto(page.url.replace("/customer", "/review"))
    if "account" in page.url:
        shot("account")
        page.click("button.go")
        shot("account-refused")
        page.fill("#bank_account_number", "DE89370400440532013000")
        page.click("button.go")
    shot("review")
    page.click("button.go")
    page.wait_for_timeout(800)
    shot("status-checking")
    from anchor.services import completions, customer_desk
    from tests.knowing import BY, work

    c = customer_desk.listing()[0].customer_id
    customer_desk.accept(c, "sep24", BY)
    work(completions.COMPLETE)
    page.wait_for_selector(".slip", timeout=30000)
    page.wait_for_timeout(500)
    shot("status-pay")
    if way == "withdraw":
        page.click("summary")
        shot("status-qr")
    context.close()
