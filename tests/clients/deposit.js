// SEP-6: a deposit on the wallet's own screens, from a customer who is accepted at once.
import { anchor, bank, done, found, keys, logIn, watch } from "./wallet.js";

await found();
const authToken = await logIn();
const customers = await anchor.sep12(authToken);
await customers.add({ sep9Info: { first_name: "Ada", last_name: "Lovelace" }, type: "sep6" });

const sep6 = anchor.sep6();
const info = await sep6.info();
const opened = await sep6.deposit({
  authToken,
  params: { asset_code: "USDC", account: keys.publicKey, amount: "100", type: "bank" },
});
const watched = watch(sep6, authToken, opened.id);
const reference = opened.instructions.external_transfer_memo.value;
await bank("/deposits", { amount: "100", reference, payer: "Ada Lovelace" });
const { transaction, statuses } = await watched;
done({
  enabled: info.deposit.USDC.enabled,
  fields: Object.keys(opened.instructions).sort(),
  statuses,
  amount_out: transaction.amount_out,
  kind: transaction.kind,
});
