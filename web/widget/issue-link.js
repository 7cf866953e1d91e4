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
 * Parse an issue: its address, also that of its pane on a project's board, `owner/name#1`, `owner/name 1` or,
 * if the repository is known, the number alone.
 *
 * @param {string} input
 * @param {?string} [repo] the repository of a number alone
 * @returns {import("./types.d.ts").Issue | {mistake: "empty" | "form" | "pull" | "number"}}
 */
export function parseIssue(input, repo) {
  const text = input.trim();
  if (!text) return { mistake: "empty" };
  const address = ADDRESS.exec(text);
  if (address?.[2] === "pull") return { mistake: "pull" };
  const [, digits] = NUMBER.exec(text) ?? [];
  const short = SHORT.exec(onBoard(text) ?? (repo && digits ? `${repo} ${digits}` : text));
  const found = address ?? short;
  if (!found) return { mistake: "form" };
  const name = found[1];
  const number = Number(found.at(-1));
  if (number < 1 || number > MAX_NUMBER) return { mistake: "number" };
  return { github_repo: name, github_issue_number: number };
}

/**
 * @param {string} text
 * @returns {string | undefined} the issue of the open pane on a board: `issue=owner|name|1` in its address
 */
function onBoard(text) {
  if (!/^https:\/\/github\.com\/\S+\/projects\/\d+/.test(text)) return undefined;
  return new URL(text).searchParams.get("issue")?.replace("|", "/").replace("|", "#");
}
