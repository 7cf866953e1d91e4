import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseIssue } from "../../web/widget/issue-link.js";

/** @type {{text: string, github?: string, issue?: string, pull?: boolean, mistake?: string}[]} */
const spellings = JSON.parse(
  readFileSync(new URL("../issue_spellings.json", import.meta.url), { encoding: "utf8" }),
);

for (const { text, github, issue, pull, mistake } of spellings) {
  test(`${JSON.stringify(text)} ${github ? `on ${github} ` : ""}is ${issue ?? `the mistake "${mistake}"`}`, () => {
    const [repo, number] = issue?.split("#") ?? [];
    const address = pull ? { github_issue_url: text } : {};
    const named = { github_repo: repo, github_issue_number: Number(number), ...address };
    assert.deepEqual(parseIssue(text, null, github), issue ? named : { mistake });
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
