/** The parts of the demo's pages that ask Issue Timer, as the person who is signed in to it. */

import { isPressed } from "./presses.js";

// Issue Timer needs some seconds for a history that arrives in another order.
const CHECK_AGAIN_MS = 1_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let check;
/** Whether somebody is signed in to Issue Timer in this browser. */
let isSignedIn = false;
/** Whether timers were not shown because of a press. */
let isWithheld = false;

/** Offer to sign in to Issue Timer as the demo's person, unless that person is signed in. */
export async function showWhoseWidget() {
  const section = document.getElementById("widget");
  if (!section) return;
  const form = document.getElementById("connect");
  const widget = section.querySelector("issue-timer");
  // It is there for browsers without scripts.
  form.hidden = true;
  const answer = await fetch("/api/auth/me/").catch(() => null);
  const person = answer?.ok ? await answer.json() : null;
  isSignedIn = person !== null;
  form.hidden = person?.id === Number(section.dataset.id);
  widget.hidden = !person;
  if (person && !form.hidden) {
    document.getElementById("connect-text").textContent = `These are the timers of ${person.login}.`;
  }
  showTimers();
}

/** Show the person's timers on the issues of the page. */
export async function showTimers() {
  clearTimeout(check);
  if (!isSignedIn) return;
  const shown = [...document.querySelectorAll(".timers")].map(showTimersOf);
  const compared = (await Promise.all(shown)).filter((one) => one !== null);
  const verdict = document.getElementById("verdict");
  if (!verdict || compared.length < 3) return;
  const isComplete = compared.every((facts) => facts.length > 0);
  const isSame = new Set(compared.map((facts) => JSON.stringify(facts))).size === 1;
  if (!isComplete || !isSame) check = setTimeout(showTimers, CHECK_AGAIN_MS);
  verdict.textContent = !isComplete
    ? "Waiting for Issue Timer: it ignores what happened before a person signed in for the first time."
    : isSame
      ? "The timers are the same in each order."
      : "Not the same yet.";
}

/** Show the timers that were not shown because of a press. */
export function showWithheldTimers() {
  if (isWithheld) showTimers();
  isWithheld = false;
}

/**
 * @param {HTMLElement} element
 * @returns {Promise<unknown[] | null>} what has to be the same for every order; null if it is not compared
 */
async function showTimersOf(element) {
  const { repository, number } = element.dataset;
  const isCompared = "compared" in element.dataset;
  const query = new URLSearchParams({ github_repo: repository, github_issue_number: number });
  const answer = await fetch(`/api/timelogs/?${query}`);
  if (!answer.ok) return null;
  const { results } = await answer.json();
  results.reverse();
  isWithheld ||= isPressed();
  if (!isPressed()) element.replaceChildren(results.length ? table(results, isCompared) : note("No timer."));
  if (!isCompared) return null;
  return results.map((one) => [
    one.start_time,
    one.end_time,
    one.status,
    one.active_duration,
    one.pauses,
    one.source,
  ]);
}

function note(text) {
  const element = document.createElement("p");
  element.className = "faint";
  element.textContent = text;
  return element;
}

/** @param {boolean} isCompared whether to show the active time: of timers at once, only one has working time */
function table(timers, isCompared) {
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  for (const title of ["Since", "State", isCompared ? "Active time" : "Working time"]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = made.createTBody();
  for (const timer of timers) {
    const row = body.insertRow();
    const state = timer.stopped_by ? `${timer.status} by ${timer.stopped_by}` : timer.status;
    const time = isCompared ? timer.active_duration : timer.working_duration;
    for (const text of [new Date(timer.start_time).toLocaleTimeString(), state, clockTime(time)]) {
      row.insertCell().textContent = text;
    }
    const hasOtherActive = Math.round(timer.active_duration) !== Math.round(time);
    if (hasOtherActive) row.cells[2].append(note(`${clockTime(timer.active_duration)} active`));
  }
  return made;
}

/** @param {number} duration in seconds */
function clockTime(duration) {
  const seconds = Math.round(duration);
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  return parts.map((part) => `${part}`.padStart(2, "0")).join(":");
}
