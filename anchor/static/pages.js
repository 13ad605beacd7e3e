// The pages work without this. It takes the token out of the address, shows the fee while an amount
// is typed, copies, keeps a page up to date, and tells a wallet that asked for it by postMessage.
"use strict";

(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  // -- the address ------------------------------------------------------------------------------
  if (location.search && !$("[data-keeps-address]")) history.replaceState(null, "", location.pathname);
  // What was just done is said once: not again when the page is looked at later.
  const once = $("[data-once]");
  if (once) {
    const here = new URL(location.href);
    once.dataset.once.split(" ").forEach((name) => here.searchParams.delete(name));
    history.replaceState(null, "", here);
  }

  // -- what wallets are told (SEP-24): whoever opened the window, or else frames it -----------------
  const wallet = window.opener || (window.parent !== window ? window.parent : null);
  let told = null;
  const tell = (transaction) => { if (wallet) wallet.postMessage({ transaction }, "*"); };

  // -- forms: one sending, and what is wrong first ---------------------------------------------------
  const forms = () => all("form").forEach((form) => {
    form.addEventListener("submit", () => {
      const button = $("button[type=submit]", form);
      setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); });
    });
  });
  // What was wrong with a field is not said any more once that is typed in anew.
  const mends = () => all(".field.bad").forEach((field) => {
    field.addEventListener("input", () => {
      field.classList.remove("bad");
      const known = $(".problem", field);
      if (known) known.remove();
      const asked = $("[aria-invalid]", field);
      if (asked) asked.removeAttribute("aria-invalid");
      if (!$(".field.bad")) $(".notice.bad")?.remove();
    }, { once: true });
  });
  // A page that comes back from the browser's memory can be sent again.
  addEventListener("pageshow", () => all("button[aria-busy]").forEach((button) => {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }));

  // -- the fee and the rate, while an amount is typed ------------------------------------------------
  const price = () => {
    const form = $("form[data-price]");
    const sums = form && $("[data-sums]", form);
    if (!form || $("#amount", form).readOnly) return;
    const problem = $("[data-price-problem]", form);
    let last = 0;
    const show = async () => {
      const mine = ++last;
      const data = new FormData(form);
      const amount = (data.get("amount") || "").trim();
      sums.hidden = problem.hidden = true;
      $("#amount-hint", form).hidden = Boolean(data.get("other"));  // another currency's fee
      if (!amount) return;
      await wait(250);
      if (mine !== last) return;
      const query = new URLSearchParams({ amount, lang: document.documentElement.lang });
      for (const name of ["rail", "other"]) if (data.get(name)) query.set(name, data.get(name));
      let answer;
      try {
        answer = await fetch(`${form.dataset.price}?${query}`, { credentials: "same-origin" });
      } catch { return; }
      const said = await answer.json().catch(() => ({}));
      if (mine !== last) return;
      if (answer.ok) {
        for (const place of all("[data-name]", sums)) {
          place.textContent = said[place.dataset.name] || "";
          place.parentElement.hidden = !said[place.dataset.name];
        }
        sums.hidden = false;
      } else if (answer.status === 400 && said.error && !$(".field.bad", form)) {
        problem.textContent = said.error[0].toUpperCase() + said.error.slice(1) + ".";
        problem.hidden = false;
      }
    };
    form.addEventListener("input", show);
    show();
  };

  // -- copying ---------------------------------------------------------------------------------------
  const copies = () => all("[data-copy]").forEach((button) => {
    button.hidden = false;
    const name = button.textContent;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
      } catch {
        const area = document.createElement("textarea");
        area.value = button.dataset.copy;
        area.className = "unseen";
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        button.focus();
      }
      button.textContent = button.dataset.done;
      await wait(2000);
      button.textContent = name;
    });
  });

  // -- instants in the clock of whoever looks, written as the server writes those of UTC -----------------
  const instants = () => all("time[datetime]").forEach((time) => {
    const lang = document.documentElement.lang;
    const locale = lang === "en" ? "en-GB" : lang;
    const at = new Date(time.dateTime);
    const parts = new Intl.DateTimeFormat(locale, {
      hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short",
    }).formatToParts(at);
    const part = (type) => parts.find((each) => each.type === type).value;
    const zone = part("timeZoneName").replace("-", "\u2212");  // which no line breaks after
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "long" }).format(at);
    time.title = time.textContent;
    time.textContent = `${day}, ${part("hour")}:${part("minute")}\u00a0${zone}`;
  });

  // -- how it stands -----------------------------------------------------------------------------------
  const EVERY_MS = 4000;
  const state = async () => {
    const answer = await fetch($("[data-state]").dataset.state, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };
  const renew = async () => {
    const answer = await fetch(location.pathname, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) { location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    const open = Boolean($("details[open]"));
    $("#main").replaceWith(page.querySelector("#main"));
    if (open && $("details")) $("details").open = true;
    begin();
  };
  const follow = async () => {
    for (let failures = 0; ;) {
      const place = $("[data-state]");
      if (!place) return;
      const isOver = "over" in place.dataset;
      try {
        const found = await state();
        failures = 0;
        if (String(found.version) !== place.dataset.version) await renew();
        const status = found.transaction.status;
        if (told !== status && tells("on_change_callback")) tell(found.transaction);
        told = status;
      } catch { failures += 1; }
      if (isOver) return;
      await wait(EVERY_MS * Math.min(2 ** failures, 16) * (document.hidden ? 4 : 1));
    }
  };
  const tells = (name) => ($("[data-state]")?.dataset.tells || "").split(" ").includes(name);
  const closes = () => {
    const button = $("[data-close]");
    if (!button || !wallet) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      if (tells("callback")) try { tell((await state()).transaction); } catch { /* it asks itself */ }
      window.close();
    });
  };

  const lives = () => {
    const place = $("[data-state]");
    if (place && !("over" in place.dataset)) $("[data-live]").hidden = false;
  };

  const begin = () => { copies(); instants(); closes(); lives(); };
  begin();
  forms();
  mends();
  price();
  $("[data-focus]")?.focus();
  if ($("[data-state]")) follow();
})();
