// What a flow has of the machine that it runs on. This is Node; the test is at its standard streams.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import sdk from "@stellar/typescript-wallet-sdk";

export { sdk };
export const env = process.env;

export async function photo() {
  return readFileSync(env.PHOTO);
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Asks the test to do something that is no wallet's to do, and waits until it has.
export async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  return JSON.parse((await lines.next()).value);
}

export function done(result) {
  console.log(JSON.stringify({ done: result }));
  process.exit(0);
}
