// What a flow has of the browser that it runs in: the test serves this as host.js.
export const sdk = window.WalletSDK;
export const { env } = window.flow;

export async function photo() {
  return (await fetch("/flows/photo")).blob();
}

export function ask(what) {
  return window.askTheTest(what);
}

export function done(result) {
  window.flow.found = result;
}
