import assert from "node:assert/strict";
import { test } from "node:test";
import { setLocale } from "./support/locale.js";
import { stoppedTimer } from "./support/timers.js";

setLocale(["en-GB"]);
const { issueReference } = await import("../../web/page/issue.js");

test("an issue is named by its repository and number", () => {
  assert.equal(issueReference(stoppedTimer()), "octo-org/hello-world#7");
});

test('a timer without an issue is named "No issue"', () => {
  assert.equal(issueReference(stoppedTimer({ github_repo: null, github_issue_number: null })), "No issue");
});
