// SEP-1, 10, 12 and 24 from a page of another origin: only what a browser lets through is read.
// The test hands this function to Chromium, where the SDK is loaded already.
async ({ homeDomain, photo }) => {
  const sdk = window.WalletSDK;
  const wallet = sdk.Wallet.TestNet();
  const anchor = wallet.anchor({ homeDomain, allowHttp: true });
  const keys = wallet.stellar().account().createKeypair();
  const auth = await anchor.sep10();
  const authToken = await auth.authenticate({ accountKp: keys });

  const customers = await anchor.sep12(authToken);
  const type = "with_document";
  await customers.add({
    type,
    sep9Info: { first_name: "Ada", last_name: "Lovelace" },
    sep9BinaryInfo: { photo_id_front: new Blob([new Uint8Array(photo)]) },
  });
  const known = await customers.getCustomer({ type });

  const opened = await anchor.sep24().deposit({ assetCode: "USDC", authToken });
  const refused = await anchor
    .sep24()
    .getTransactionBy({ authToken, id: "none" })
    .catch((error) => error.message);
  return { account: authToken.account === keys.publicKey, status: known.status, opened, refused };
}
