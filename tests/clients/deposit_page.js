// SEP-24: a deposit. The test is the customer at the page and at the bank.
import { anchor, ask, asset, done, found, keys, logIn, wallet, watch } from "./wallet.js";

await found();
const authToken = await logIn();
const sep24 = anchor.sep24();
const info = await anchor.getServicesInfo();
const opened = await sep24.deposit({
  assetCode: "USDC",
  authToken,
  extraFields: { amount: "100" },
});
const before = await sep24.getTransactionBy({ authToken, id: opened.id });
const refused = await sep24
  .getTransactionBy({ authToken, id: "none" })
  .catch((error) => error.message);
await ask({ page: opened.url });
const { transaction, statuses } = await watch(sep24, authToken, opened.id);

const held = await asset();
const account = await wallet.stellar().account().getInfo({ accountAddress: keys.publicKey });
const line = account.balances.find((each) => each.asset_code === held.code);
done({
  type: opened.type,
  before: before.status,
  refused,
  enabled: info.deposit.USDC.enabled,
  statuses,
  amount_out: transaction.amount_out,
  to: transaction.to === keys.publicKey,
  balance: line.balance,
});
