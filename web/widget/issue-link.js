// GitHub's rules for names, as in timer_core.domain.issues.
const OWNER = "[a-z0-9][a-z0-9_-]{0,38}";
const REPO = "(?!\\.{1,2}(?![a-z0-9._-]))[a-z0-9._-]{1,100}";
const ADDRESS = new RegExp(
  `^(?:https?://)?(?:www\\.)?github\\.com/(${OWNER}/${REPO})/(issues|pull)/([0-9]{1,12})/?(?:[?#]\\S*)?$`,
  "i",
);
const SHORT = new RegExp(`^(${OWNER}/${REPO})(?:\\s*#\\s*|\\s+)([0-9]{1,12})$`, "i");
const NUMBER = /^#?\s*([0-9]{1,12})$/;
const MAX_NUMBER = 2 ** 31 - 1;

/**
 * Parse a reference to an issue. The reference is the issue's URL, the URL of a project board on which the
 * issue's pane is open, `owner/name#1` or `owner/name 1`. If `repo` is given, the issue's number is enough.
 *
 * @param {string} input
 * @param {?string} [repo] the repository of the issue if the reference is only a number
 * @returns {import("./types.d.ts").Issue | {mistake: "empty" | "form" | "pull" | "number"}}
 */
export function parseIssue(input, repo) {
  const text = input.trim();
  if (!text) return { mistake: "empty" };
  const address = ADDRESS.exec(text);
  if (address?.[2] === "pull") return { mistake: "pull" };
  const [, digits] = NUMBER.exec(text) ?? [];
  const short = SHORT.exec(issueOnBoard(text) ?? (repo && digits ? `${repo} ${digits}` : text));
  const found = address ?? short;
  if (!found) return { mistake: "form" };
  const name = found[1];
  const number = Number(found.at(-1));
  if (number < 1 || number > MAX_NUMBER) return { mistake: "number" };
  return { github_repo: name, github_issue_number: number };
}

/**
 * @param {string} text
 * @returns {string | undefined} the issue whose pane is open on a board, read from `issue=owner|name|1` in
 *   the URL
 */
function issueOnBoard(text) {
  if (!/^https:\/\/github\.com\/\S+\/projects\/\d+/.test(text)) return undefined;
  return new URL(text).searchParams.get("issue")?.replace("|", "/").replace("|", "#");
}
