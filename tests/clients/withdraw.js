// SEP-6: a withdrawal that waits for its customer, who is known by SEP-12 in between.
import { anchor, done, env, logIn, pay, until, watch } from "./wallet.js";

const authToken = await logIn();
const sep6 = anchor.sep6();
const opened = await sep6.withdraw({
  authToken,
  params: { asset_code: "USDC", type: "bank", amount: "100" },
});
const waiting = await sep6.getTransactionBy({ authToken, id: opened.id });

const customers = await anchor.sep12(authToken);
const sep9Info = {
  first_name: "Ada",
  last_name: "Lovelace",
  bank_account_number: env.ACCOUNT,
};
await customers.add({ type: "sep6", transactionId: opened.id, sep9Info });
const asked = await until(sep6, authToken, opened.id, "pending_user_transfer_start");
const watched = watch(sep6, authToken, opened.id);
await pay(asked);
const { transaction, statuses } = await watched;
const listed = await sep6.getTransactionsForAsset({ authToken, assetCode: "USDC" });
done({
  waiting: waiting.status,
  statuses,
  amounts: [transaction.amount_in, transaction.amount_fee, transaction.amount_out],
  is_listed: listed.some((each) => each.id === opened.id),
});
