// The demo wallet: it shows what the sandbox's side of it knows, and asks that for what is clicked.
"use strict";

(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector) => document.querySelectorAll(selector);
  const WORKS_MS = 1000;
  const RESTS_MS = 5000;
  const OVER = ["completed", "refunded", "expired", "error", "no_market", "too_small", "too_large"];
  const WORKING = ["pending_anchor", "pending_stellar", "pending_external"];
  const STAGES = {
    deposit: ["Ask the anchor", "Fill in its page", "Pay by bank", "Receive on the ledger"],
    withdrawal: ["Ask the anchor", "Fill in its page", "Pay on the ledger", "Receive at the bank"],
  };
  const pages = new Map(); // the links of pages, by transaction; they are told once
  let shown = ""; // what is on the page, to leave it alone while nothing changes
  let told = new Map(); // the statuses that were said aloud
  let timer = 0;
  let lost = false; // whether the last look failed

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const number = (text) =>
    new Intl.NumberFormat("en-US", {
      minimumFractionDigits: 2,
      maximumFractionDigits: 7,
    }).format(text);
  const short = (account) => `${account.slice(0, 6)}…${account.slice(-6)}`;

  // -- the sandbox's side ---------------------------------------------------------------------
  const ask = async (path, body) => {
    const how = body && {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    const answer = await fetch(`/wallet/${path}`, how || {});
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(found.error || `It answered ${answer.status}.`);
    return found;
  };

  const problem = (error) => {
    const place = $("#problem");
    place.textContent = error ? `That did not work. ${error.message}` : "";
    place.hidden = !error;
  };

  // Does what a button is for, once; what goes wrong is said above.
  const act = async (button, doing) => {
    const name = button.textContent;
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    if (button.dataset.busy) button.textContent = button.dataset.busy;
    try {
      problem(null);
      await doing();
    } catch (error) {
      problem(error);
    }
    button.textContent = name;
    button.disabled = false;
    button.removeAttribute("aria-busy");
  };

  // -- the anchor's page ----------------------------------------------------------------------
  // A window can only be opened while a click is handled, so it is opened before its address is known.
  const opened = (url) => window.open(url, "_blank", "popup,width=500,height=860");
  const open = async (way) => {
    const page = opened("");
    try {
      const { id, url } = await ask("open", { way });
      pages.set(id, url);
      if (page) page.location.replace(url);
    } catch (error) {
      if (page) page.close();
      throw error;
    }
    await look();
  };
  // The anchor's page tells its wallet of each change (SEP-24), and so it is shown at once.
  addEventListener("message", () => look());

  // -- a transaction --------------------------------------------------------------------------
  const moment = (deal) => {
    const isDeposit = deal.kind === "deposit";
    const unit = isDeposit ? deal.currency : deal.code;
    const amount = deal.amount_in ? `${number(deal.amount_in)} ${unit}` : "the money";
    if (deal.status === "completed")
      return {
        at: 4,
        badge: ["good", "Completed"],
        text: isDeposit ? "The money is in your wallet." : "The money is at the bank.",
      };
    if (OVER.includes(deal.status))
      return {
        at: -1,
        badge: ["bad", deal.status.replaceAll("_", " ")],
        text: deal.message || "It ended without a payment.",
      };
    if (deal.status === "incomplete")
      return {
        at: 1,
        badge: ["wait", "Your turn"],
        text: "Say on the anchor’s page how much it is, and who you are. It is open in a window of its own.",
        button: pages.has(deal.id) && "Show the page again",
        press: () => opened(pages.get(deal.id)),
        quiet: true,
      };
    if (deal.status === "pending_user_transfer_start" && !deal.paid)
      return {
        at: 2,
        badge: ["wait", "Your turn"],
        text: isDeposit
          ? "The anchor waits for a bank transfer with the reference that its page shows. Play the customer’s bank:"
          : "The anchor waits for a payment on the ledger, with a memo by which it knows whose it is.",
        button: isDeposit ? `Transfer ${amount}` : `Pay ${amount}`,
        press: async () => show((await ask("pay", { id: deal.id })).wallet),
      };
    if (deal.status === "pending_user_transfer_start")
      return { at: 2, badge: ["busy", "On its way"], text: `${amount} left. The anchor has not seen it yet.` };
    const works = isDeposit ? "pays your account on the ledger" : "tells the bank to pay";
    return {
      at: 3,
      badge: ["busy", "In progress"],
      text: WORKING.includes(deal.status)
        ? `The anchor has the money, and ${works}.`
        : deal.message || `The anchor says ${deal.status}.`,
    };
  };

  const sums = (deal, list) => {
    const isDeposit = deal.kind === "deposit";
    const [given, got] = isDeposit ? [deal.currency, deal.code] : [deal.code, deal.currency];
    const rows = [
      ["You pay", deal.amount_in && `${number(deal.amount_in)} ${given}`],
      ["Fee", deal.amount_fee && `${number(deal.amount_fee)} ${given}`],
      ["You get", deal.amount_out && `${number(deal.amount_out)} ${got}`],
      ["Memo", deal.memo],
      ["Bank’s reference", deal.reference],
    ];
    for (const [name, value] of rows.filter((row) => row[1])) {
      const row = element("div", "", name === "You get" ? "total" : "");
      row.append(element("dt", name), element("dd", value));
      list.append(row);
    }
    if (deal.ledger_url) {
      const [row, place, link] = [element("div"), element("dd"), element("a", "Look at it")];
      link.href = deal.ledger_url;
      place.append(link);
      row.append(element("dt", "On the ledger"), place);
      list.append(row);
    }
    list.hidden = !list.children.length;
  };

  const card = (deal) => {
    const item = $("#deal").content.cloneNode(true).firstElementChild;
    const now = moment(deal);
    item.dataset.status = deal.status;
    item.dataset.deal = deal.id;
    $("h3", item).textContent = deal.kind === "deposit" ? "Deposit" : "Withdrawal";
    const badge = $(".badge", item);
    badge.textContent = now.badge[1];
    badge.classList.add(now.badge[0]);
    $(".lead", item).textContent = now.text;
    STAGES[deal.kind].forEach((name, place) => {
      const stage = element("li", "", place < now.at ? "done" : place === now.at ? "now" : "");
      if (place === now.at) stage.setAttribute("aria-current", "step");
      stage.append(element("span", name));
      $(".stages", item).append(stage);
    });
    sums(deal, $(".sums", item));
    if (now.button) {
      const button = $(".go", item);
      button.textContent = now.button;
      button.hidden = false;
      button.classList.toggle("second", Boolean(now.quiet));
      button.addEventListener("click", () => act(button, now.press));
    }
    return item;
  };

  // -- all of it ------------------------------------------------------------------------------
  const aloud = (deals) => {
    const news = deals.filter((deal) => told.has(deal.id) && told.get(deal.id) !== deal.status);
    told = new Map(deals.map((deal) => [deal.id, deal.status]));
    if (news.length)
      $("#aloud").textContent = news
        .map((deal) => `${deal.kind}: ${moment(deal).badge[1]}. ${moment(deal).text}`)
        .join(" ");
  };

  const show = (wallet) => {
    const isNew = wallet && !$("#start").hidden;
    $("#start").hidden = Boolean(wallet);
    $("#desk").hidden = !wallet;
    const { said, ...rest } = wallet || { said: [] };
    const text = JSON.stringify([rest, [...pages.keys()]]);
    $("#said").replaceChildren(...said.toReversed().map(line));
    if (!wallet || text === shown) return;
    shown = text;
    const focused = document.activeElement?.closest("[data-deal]")?.dataset.deal;
    const named = {
      ...wallet,
      account: short(wallet.account),
      balance: number(wallet.balance),
      toml_url: `${wallet.anchor_url}/.well-known/stellar.toml`,
    };
    for (const place of all("[data-name]")) place.textContent = named[place.dataset.name];
    for (const place of all("[data-link]")) place.href = named[place.dataset.link];
    const deals = wallet.transactions.map((deal) => ({ ...deal, code: wallet.code }));
    $("#empty").hidden = deals.length > 0;
    $("#list").replaceChildren(...deals.map(card));
    const again = focused && $(`[data-deal="${focused}"]`);
    if (again) ($(".go:not([hidden])", again) || $("h3", again)).focus();
    if (isNew) $("#whose").focus();
    aloud(deals);
  };

  const line = (each) => {
    const row = element("tr");
    const times = each.times > 1 ? ` × ${each.times}` : "";
    for (const text of [each.text, `${each.method} ${each.path}`, `${each.status}${times}`])
      row.append(element("td", text));
    return row;
  };

  const look = async () => {
    clearTimeout(timer);
    let works = false;
    try {
      if (!document.hidden) {
        const { wallet } = await ask("state");
        show(wallet);
        if (lost) problem(null);
        lost = false;
        works = Boolean(wallet?.transactions.some((deal) => !OVER.includes(deal.status)));
      } else works = true;
    } catch (error) {
      if ($("#desk").hidden) show(null);
      problem(error);
      lost = true;
    }
    clearTimeout(timer);
    timer = setTimeout(look, works ? WORKS_MS : RESTS_MS);
  };

  const begin = $("#begin");
  begin.dataset.busy = "Making an account, and logging in…";
  begin.addEventListener("click", () =>
    act(begin, async () => show((await ask("begin", {})).wallet)),
  );
  for (const button of all("[data-open]"))
    button.addEventListener("click", () => act(button, () => open(button.dataset.open)));
  look();
})();
