// What all flows begin with: an anchor and a network over http, and a key.
import { env, sdk } from "./host.js";

export { ask, done, env, photo } from "./host.js";

const { HOME_DOMAIN, NETWORK, SECRET } = env;

// The SDK takes no Horizon over http, so the one of the test network is exchanged for ours.
const network = sdk.StellarConfiguration.TestNet();
network.server = new network.server.constructor(NETWORK, { allowHttp: true });
network.horizonUrl = NETWORK;

export const wallet = new sdk.Wallet({ stellarConfiguration: network });
export const anchor = wallet.anchor({ homeDomain: HOME_DOMAIN, allowHttp: true });
export const keys = SECRET
  ? sdk.SigningKeypair.fromSecret(SECRET)
  : wallet.stellar().account().createKeypair();

export async function logIn(more = {}) {
  const auth = await anchor.sep10();
  return auth.authenticate({ accountKp: keys, ...more });
}

// The anchor's asset, as its stellar.toml names it.
export async function asset() {
  const { currencies } = await anchor.sep1();
  return new sdk.IssuedAssetId(currencies[0].code, currencies[0].issuer);
}

// A new account on the ledger that may hold the asset.
export async function found() {
  await fetch(`${NETWORK}/friendbot?addr=${keys.publicKey}`);
  const held = await asset();
  await submit((builder) => builder.addAssetSupport(held));
}

export async function submit(build) {
  const builder = await wallet.stellar().transaction({ sourceAddress: keys, baseFee: 100 });
  const transaction = build(builder).build();
  keys.sign(transaction);
  await wallet.stellar().submitTransaction(transaction);
  return transaction.hash().toString("hex");
}

// Pays what a withdrawal asks for, as the SDK reads it.
export async function pay(withdrawal) {
  const held = await asset();
  return submit((builder) => builder.transferWithdrawalTransaction(withdrawal, held));
}

// Follows a transaction with the SDK's watcher to its end, and returns each status it told of.
export function watch(service, authToken, id) {
  const statuses = [];
  return new Promise((resolve, reject) => {
    service.watcher().watchOneTransaction({
      authToken,
      assetCode: "USDC",
      id,
      timeout: 100,
      onMessage: (transaction) => statuses.push(transaction.status),
      onSuccess: (transaction) =>
        resolve({ transaction, statuses: [...statuses, transaction.status] }),
      onError: (what) => reject(what instanceof Error ? what : new Error(JSON.stringify(what))),
    });
  });
}

// Waits until a transaction has a status.
export async function until(service, authToken, id, status) {
  for (;;) {
    const transaction = await service.getTransactionBy({ authToken, id });
    if (transaction.status === status) return transaction;
    if (transaction.status === "error") throw new Error(JSON.stringify(transaction));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function bank(path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${NETWORK}/bank${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
