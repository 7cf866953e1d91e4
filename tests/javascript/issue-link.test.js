import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIssue } from "../../web/widget/issue-link.js";

const BOARD = "https://github.com/orgs/octo-org/projects/3/views/1?pane=issue&itemId=5";

for (const [input, repo, number] of /** @type {const} */ ([
  ["https://github.com/octo-org/Hello.World/issues/12?x=1#issuecomment-3", "octo-org/Hello.World", 12],
  ["github.com/octo-org/hello-world/issues/12/", "octo-org/hello-world", 12],
  ["http://www.github.com/octo-org/hello-world/issues/12", "octo-org/hello-world", 12],
  [`${BOARD}&issue=octo-org%7Chello%7C12`, "octo-org/hello", 12],
  [" octo-org/hello-world#12 ", "octo-org/hello-world", 12],
  ["octo-org/hello-world 12", "octo-org/hello-world", 12],
  ["octo-org/hello-world # 12", "octo-org/hello-world", 12],
  ["octo-org/..a#1", "octo-org/..a", 1],
  ["octo-org/hello-world#2147483647", "octo-org/hello-world", 2_147_483_647],
])) {
  test(`"${input}" is an issue`, () => {
    assert.deepEqual(parseIssue(input), { github_repo: repo, github_issue_number: number });
  });
}

for (const [input, mistake] of [
  ["", "empty"],
  ["  ", "empty"],
  ["12", "form"],
  ["https://github.com/octo-org/hello-world", "form"],
  ["https://gitlab.com/octo-org/hello-world/issues/1", "form"],
  [BOARD, "form"],
  ["octo-org/..#1", "form"],
  ["octo-org/.#1", "form"],
  [`${"a".repeat(40)}/hello-world#1`, "form"],
  ["octo-org/hello-world#1234567890123", "form"],
  ["https://github.com/octo-org/hello-world/pull/12", "pull"],
  ["octo-org/hello-world#0", "number"],
  ["octo-org/hello-world#2147483648", "number"],
]) {
  test(`"${input}" is the mistake "${mistake}"`, () => {
    assert.deepEqual(parseIssue(input), { mistake });
  });
}

for (const input of ["12", "#12", " # 12 "]) {
  test(`"${input}" is an issue of the page's repository`, () => {
    assert.deepEqual(parseIssue(input, "octo-org/hello-world"), {
      github_repo: "octo-org/hello-world",
      github_issue_number: 12,
    });
  });
}

test("the page's repository does not replace the repository in the text", () => {
  assert.deepEqual(parseIssue("octo-org/other#3", "octo-org/hello-world"), {
    github_repo: "octo-org/other",
    github_issue_number: 3,
  });
});
