// The export of a report that is too large for the page: how far its file is, and the link to it.

import { content } from "../widget/dom.js";
import { storage } from "../widget/storage.js";
import { get, request, statusOf } from "./api.js";
import { startOf } from "./calendar.js";
import { byId } from "./elements.js";
import { formats, locale, text } from "./language.js";
import { onAction, showError } from "./session.js";

/** @import { ReportExport } from "./types.d.ts" */

const PATH = "/api/reports/export/";
// Whether the user has asked for an export in this browser, so that the page looks for one.
const ASKED = "issue-timer:report-export";
const POLL_MS = 2_000;
const RETRY_MS = 10_000;

/** The API's query for the report that is offered. */
let query = new URLSearchParams();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let polling;

/** Show the export that was asked for before, and listen to the buttons. */
export function openExport() {
  for (const format of ["csv", "xlsx"]) {
    onAction("click", byId(`export-${format}`), () => begin(format));
  }
  if (storage.get(ASKED)) return follow();
}

/**
 * Offer the file of a report that is too large for the page.
 *
 * @param {URLSearchParams} asked the API's query for the report
 */
export function offerExport(asked) {
  query = asked;
  byId("export-offer").hidden = byId("export").hidden = false;
}

/** Hide the offer, because another report is shown. */
export function withdrawExport() {
  byId("export-offer").hidden = true;
  byId("export").hidden = !storage.get(ASKED);
}

/** @param {string} format */
async function begin(format) {
  storage.set(ASKED, true);
  try {
    const address = new URLSearchParams([...query, ["format", format], ["locale", locale]]);
    show((await request("POST", `${PATH}?${address}`)).body);
  } catch (error) {
    showError(error);
  }
  await follow();
}

/** Show how far the export is, until it is done or has failed. */
async function follow() {
  clearTimeout(polling);
  try {
    /** @type {ReportExport} */
    const found = await get(PATH);
    show(found);
    if (isUnfinished(found)) polling = setTimeout(follow, POLL_MS);
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) {
      storage.remove(ASKED);
      showState("");
    } else if (status && status < 500) showError(error);
    else polling = setTimeout(follow, RETRY_MS);
  }
}

/** @param {ReportExport} found */
function isUnfinished({ state }) {
  return state === "waiting" || state === "running";
}

/** @param {ReportExport} found */
function show(found) {
  const { state, people, people_done: done, expires, failure, complete } = found;
  const bar = byId("export-progress", HTMLProgressElement);
  bar.hidden = !isUnfinished(found);
  bar.max = people;
  bar.value = done;
  byId("export-file").hidden = state !== "done";
  byId("export-incomplete").hidden = complete !== false;
  if (isUnfinished(found)) showState(text("exportRunning", { done, count: people }));
  else if (state === "done") {
    const days = formats.range("date", startOf(found.from), startOf(found.to));
    showState(text("exportDone", { days, time: formats.date("moment", new Date(expires)) }));
  } else showState(text(failure === "report_too_large" ? "exportTooLarge" : "exportFailed"));
}

/** @param {string} message */
function showState(message) {
  byId("export").hidden = !message && byId("export-offer").hidden;
  byId("export-state").replaceChildren(...content(message));
}
