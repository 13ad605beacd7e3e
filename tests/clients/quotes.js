// SEP-38: prices, a price, a firm quote, and a withdrawal (SEP-6) that is opened on it.
import { anchor, asset, done, env, logIn, pay, until, watch } from "./wallet.js";

const authToken = await logIn();
const { code, issuer } = await asset();
const usdc = `stellar:${code}:${issuer}`;
const brl = "iso4217:BRL";
const sep38 = anchor.sep38(authToken);

const info = await sep38.info();
const prices = await sep38.prices({
  sellAsset: usdc,
  sellAmount: "100",
  buyDeliveryMethod: "bank",
});
const price = await sep38.price({
  sellAsset: usdc,
  buyAsset: brl,
  sellAmount: "100",
  context: "sep6",
});
const quote = await sep38.requestQuote({
  sell_asset: usdc,
  buy_asset: brl,
  sell_amount: "100",
  buy_delivery_method: "bank",
  context: "sep6",
});
const again = await sep38.getQuote(quote.id);

const customers = await anchor.sep12(authToken);
const sep9Info = {
  first_name: "Ada",
  last_name: "Lovelace",
  bank_account_number: env.ACCOUNT,
};
await customers.add({ type: "sep6", sep9Info });
const sep6 = anchor.sep6();
const opened = await sep6.withdrawExchange({
  authToken,
  params: {
    source_asset: code,
    destination_asset: brl,
    amount: "100",
    quote_id: quote.id,
    type: "bank",
  },
});
const asked = await until(sep6, authToken, opened.id, "pending_user_transfer_start");
await pay(asked);
const { transaction } = await watch(sep6, authToken, opened.id);
done({
  assets: info.assets.map((each) => each.asset).sort(),
  prices: prices.buy_assets,
  price,
  quote,
  is_same: again.id === quote.id && again.buy_amount === quote.buy_amount,
  withdrawal: {
    kind: transaction.kind,
    status: transaction.status,
    quote_id: transaction.quote_id,
    amounts: [transaction.amount_in, transaction.amount_out],
  },
});
