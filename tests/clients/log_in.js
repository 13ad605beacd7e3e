// SEP-1 and SEP-10: what the anchor says of itself, and log-ins of an account and of its users.
import { anchor, done, keys, logIn } from "./wallet.js";

const toml = await anchor.sep1();
const plain = await logIn();
const user = await logIn({ memoId: "42" });
done({
  account: keys.publicKey,
  organization: toml.documentation.orgName,
  network: toml.networkPassphrase,
  plain: { account: plain.account, memo: plain.memo ?? null, issuer: plain.issuer },
  user: { account: user.account, memo: user.memo },
});
