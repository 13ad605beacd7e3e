from tests.operating import *
from tests.remitting import DETAILS, Pair


def test_it(pair: Pair):
    c = pair.ours.app.test_client()
    body={"domain": pair.domain, "asset_code":"USDC","amount":"100","details":DETAILS,"house":True}
    print(c.get("/admin/remittances").status_code, c.get("/admin/remittances", headers=bearing()).json)
    print(c.post("/admin/remittances/check", json=body, headers=bearing()).json)
    print(c.post("/admin/remittances", json=body, headers=bearing()).json)
    for _ in range(2):
        r = c.post("/admin/remittances", json=body, headers=bearing()|{"Idempotency-Key":"x"}); print(r.status_code, r.json)
    print(c.get("/admin/callbacks", headers=bearing("vera")).json)
    print(c.post("/admin/callbacks/replay", json={"since":"2026-01-01"}, headers=bearing("vera")).json)
    print(c.post("/admin/callbacks/replay", json={"since":"2026-01-01"}, headers=bearing()).json)
    print(c.get("/openapi.json").json["paths"]["/admin/remittances"]["post"]["parameters"])
