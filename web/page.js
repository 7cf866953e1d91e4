// The page of people's accounts: who they are, their open timers and their tokens.

const byId = (id) => document.getElementById(id);
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

class Problem extends Error {
  constructor(status, { detail, errors }) {
    super(errors ? errors.map((error) => error.msg).join(" ") : (detail ?? `The server answered ${status}.`));
    this.status = status;
  }
}

async function call(method, address, body) {
  const content = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(address, { method, ...content });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

/** Yield a list's pages one after the other. */
async function* pages(address) {
  for (let next = address; next; ) {
    const page = await (await call("GET", next)).json();
    yield page;
    next = page.next;
  }
}

function say(text) {
  byId("status").textContent = text;
}

/** Do what a button or a form is for, once at a time, and say what went wrong. */
function on(type, element, action) {
  element.addEventListener(type, async (event) => {
    event.preventDefault();
    if (element.ariaBusy === "true") return;
    element.ariaBusy = "true";
    say("");
    try {
      await action();
    } catch (error) {
      if (error.status === 401) leave(error.message);
      else say(error.message);
    } finally {
      element.ariaBusy = "false";
    }
  });
}

/** Ask a question, and return whether the answer is yes. */
function confirmed(title, text, yes) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  dialog.querySelector("[value=yes]").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function listItem(title, ...details) {
  const [item, text, small] = ["li", "div", "small"].map((name) => document.createElement(name));
  small.textContent = details.filter(Boolean).join(" · ");
  text.append(title, small);
  item.append(text);
  return item;
}

// ------------------------------------------------------------------ who is there

async function start() {
  try {
    const me = await (await call("GET", "/api/auth/me/")).json();
    byId("who").querySelector("strong").textContent = me.name || me.login;
    byId("who").hidden = byId("signed-in").hidden = false;
    await Promise.all([showTimers(), showTokens()]);
  } catch (error) {
    if (error.status === 401) showSignedOut();
    else say(error.message);
  }
}

function showSignedOut() {
  const { pathname, search, hash } = location;
  byId("sign-in").href = `/api/auth/login/?${new URLSearchParams({ next: pathname + search + hash })}`;
  byId("who").hidden = byId("signed-in").hidden = byId("new-token").hidden = true;
  byId("token-text").value = "";
  byId("signed-out").hidden = false;
}

function leave(text) {
  showSignedOut();
  byId("sign-in").focus();
  say(text);
}

// ------------------------------------------------------------------ timers

async function showTimers() {
  const items = [];
  for await (const page of pages("/api/timelogs/?end_time__isnull=true&page_size=100")) {
    items.push(...page.results.map(timerItem));
  }
  byId("timers").replaceChildren(...items);
  byId("no-timers").hidden = items.length > 0;
}

function timerItem(timer) {
  let title = timer.description || "No issue";
  if (timer.github_issue_url) {
    title = document.createElement("a");
    title.href = timer.github_issue_url;
    title.textContent = `${timer.github_repo}#${timer.github_issue_number}`;
  }
  const minutes = Math.floor(timer.active_duration / 60);
  const time = `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return listItem(title, time, timer.is_paused && "paused", timer.github_issue_url && timer.description);
}

// ------------------------------------------------------------------ tokens

async function showTokens() {
  const { results } = await (await call("GET", "/api/auth/tokens/")).json();
  byId("tokens").replaceChildren(...results.map(tokenItem));
}

function tokenItem(token) {
  const shown = (time) => day.format(new Date(time));
  const item = listItem(
    token.name,
    token.scope === "read" ? "may read" : "may read and write",
    `made ${shown(token.created)}`,
    token.expires ? `expires ${shown(token.expires)}` : "does not expire",
    token.last_used ? `used ${shown(token.last_used)}` : "never used",
  );
  const button = document.createElement("button");
  button.type = "button";
  button.className = "danger";
  button.textContent = "Revoke";
  button.setAttribute("aria-label", `Revoke ${token.name}`);
  on("click", button, async () => {
    if (!(await confirmed(`Revoke ${token.name}?`, "Whatever uses it stops working.", "Revoke"))) return;
    await call("DELETE", `/api/auth/tokens/${token.id}/`);
    await showTokens();
    byId("token-name").focus();
    say(`${token.name} is revoked.`);
  });
  item.append(button);
  return item;
}

on("submit", byId("make-token"), async () => {
  const form = byId("make-token");
  const { name, scope, expires } = Object.fromEntries(new FormData(form));
  // The whole of the last day, where the person is.
  const end = expires && { expires: new Date(`${expires}T23:59:59`).toISOString() };
  const made = await (await call("POST", "/api/auth/tokens/", { name, scope, ...end })).json();
  form.reset();
  byId("token-text").value = made.token;
  byId("new-token").hidden = false;
  await showTokens();
  say(`${name} is made.`);
  byId("copy-token").focus();
});

on("click", byId("copy-token"), async () => {
  await navigator.clipboard.writeText(byId("token-text").value);
  say("Copied.");
});

// ------------------------------------------------------------------ the account

on("click", byId("export"), async () => {
  let everything;
  for await (const { next, ...page } of pages("/api/auth/me/export/")) {
    everything = { ...page, timers: [...(everything?.timers ?? []), ...page.timers] };
  }
  const link = document.createElement("a");
  link.download = `issue-timer-${everything.profile.login}.json`;
  link.href = URL.createObjectURL(new Blob([JSON.stringify(everything, null, 2)], { type: "application/json" }));
  link.click();
  say(`${link.download} has everything that is stored about you.`);
});

on("click", byId("sign-out"), async () => {
  await call("POST", "/api/auth/logout/");
  leave("You are signed out.");
});

on("click", byId("sign-out-everywhere"), async () => {
  await call("POST", "/api/auth/logout/", { everywhere: true });
  leave("You are signed out on all devices.");
});

on("click", byId("delete-account"), async () => {
  const text = "All of your timers and tokens are deleted, for good.";
  if (!(await confirmed("Delete your account?", text, "Delete everything"))) return;
  say("Deleting…");
  // 202: there is so much that it takes more than one request.
  while ((await call("DELETE", "/api/auth/me/")).status === 202);
  leave("Everything is deleted.");
});

for (const button of byId("confirm").querySelectorAll("button")) {
  button.addEventListener("click", () => byId("confirm").close(button.value));
}

start();
