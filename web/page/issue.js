// How a timer's issue is shown and named.

import { html } from "./dom.js";
import { text } from "./language.js";

/** Return a short name of the issue of a timer or of a total: octocat/hello-world#7. */
export function issueName({ github_repo: repo, github_issue_number: number }) {
  return repo ? `${repo}#${number}` : text("noIssue");
}

/** Show the issue of a timer or of a total: its title if it is known, and a link that says which it is. */
export function issueLink(timed) {
  if (!timed.github_repo) return html("span", { class: "issue faint" }, text("noIssue"));
  const title = timed.github_issue_title;
  const link = html("a", { class: "issue", href: timed.github_issue_url }, title || issueName(timed));
  return title ? html("span", {}, link, " ", html("small", {}, issueName(timed))) : link;
}
