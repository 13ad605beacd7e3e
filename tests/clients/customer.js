// SEP-12: a customer is registered, asked for a document, gives it, and is forgotten.
import { anchor, done, logIn, photo } from "./wallet.js";

const customers = await anchor.sep12(await logIn());
const type = "with_document";

const added = await customers.add({ sep9Info: { first_name: "Ada" }, type });
const asked = await customers.getCustomer({ type });
await customers.update({ id: added.id, type, sep9Info: { last_name: "Lovelace" } });
await customers.add({ type, sep9BinaryInfo: { photo_id_front: await photo() } });
const known = await customers.getCustomer({ id: added.id, type });
await customers.delete();
const after = await customers.getCustomer({ type }).catch((error) => error.constructor.name);

done({
  asked: { status: asked.status, fields: Object.keys(asked.fields).sort() },
  is_same: asked.id === added.id,
  known: { status: known.status, given: Object.keys(known.provided_fields).sort() },
  after,
});
