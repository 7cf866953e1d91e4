// The name and the link of an issue, and the issue that a user enters.

import { content, h, isolate } from "../widget/dom.js";
import { parseIssue } from "../widget/issue-link.js";
import { text, widgetTexts } from "./language.js";

/** @import { TimedIssue } from "./types.d.ts" */

/** The address of the GitHub that the server is connected to. @type {string | undefined} */
let github;

/** Accept addresses of issues on a GitHub. @param {string | undefined} url the address of the GitHub */
export function followGitHub(url) {
  github = url;
}

/** Parse a reference to an issue that the user has entered. @param {string} entered */
export function readIssue(entered) {
  return parseIssue(entered, null, github);
}

/**
 * Return the short name of an issue, such as octocat/hello-world#7.
 *
 * @param {Pick<TimedIssue, "github_repo" | "github_issue_number">} timed a timer, a total or an issue
 */
export function issueReference({ github_repo: repo, github_issue_number: number }) {
  return repo ? `${repo}#${number}` : text("noIssue");
}

/**
 * Return an element with a link to an issue. The link's text is the short name of the issue, preceded by its
 * title if the title is known.
 *
 * @param {TimedIssue} timed a timer or a total
 */
export function issueLink(timed) {
  if (!timed.github_repo) return h("span", { className: "issue faint" }, text("noIssue"));
  const title = timed.github_issue_title;
  const reference = isolate(issueReference(timed));
  const name = title ? isolate(title) : reference;
  const href = timed.github_issue_url;
  // The address of an issue whose timer was just started is unknown until the server has responded.
  const link = h("a", { className: "issue", ...(href ? { href } : {}) }, ...content(name));
  const closed = timed.counts_for;
  if (!title && !closed) return link;
  return h(
    "span",
    {},
    link,
    ...(title ? [" ", h("small", {}, ...content(reference))] : []),
    ...(closed
      ? [" ", h("small", {}, ...content(widgetTexts.counts_for(isolate(issueReference(closed)))))]
      : []),
  );
}
