// SEP-24: a withdrawal. The test is the customer at the page; the wallet pays and watches.
import { anchor, ask, done, keys, logIn, pay, until, watch } from "./wallet.js";

const authToken = await logIn();
const sep24 = anchor.sep24();
const opened = await sep24.withdraw({ assetCode: "USDC", authToken });
await ask({ page: opened.url });
const asked = await until(sep24, authToken, opened.id, "pending_user_transfer_start");
const watched = watch(sep24, authToken, opened.id);
const hash = await pay(asked);
const { transaction, statuses } = await watched;

const listed = await sep24.getTransactionsForAsset({
  authToken,
  assetCode: "USDC",
  kind: "withdrawal",
});
const byHash = await sep24.getTransactionBy({ authToken, stellarTransactionId: hash });
done({
  statuses,
  amounts: [transaction.amount_in, transaction.amount_fee, transaction.amount_out],
  from: transaction.from === keys.publicKey,
  is_listed: listed.some((each) => each.id === opened.id),
  is_found: byHash.id === opened.id && transaction.stellar_transaction_id === hash,
});
