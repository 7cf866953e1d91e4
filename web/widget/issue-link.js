// The spellings of an issue, as in timer_core.domain.addresses. tests/issue_spellings.json tests both.
const OWNER = "[a-z0-9][a-z0-9_-]{0,38}";
const REPO = "(?!\\.{1,2}(?![a-z0-9._-]))[a-z0-9._-]{1,100}";
const GITHUB = "(?:https?://)?(?:www\\.)?github\\.com";
const NUMBER = "([0-9]{1,12})";
const REST = "[^\\x00-\\x20\\x7f]*";
const BEFORE_QUERY = "[^\\x00-\\x20\\x7f?#]*";
const BEFORE_FRAGMENT = "[^\\x00-\\x20\\x7f#]*";
const BAR = "(?:\\||%7C)";
// The address of a board, or of a list of issues, names the issue whose pane is open.
const PANE = `${BEFORE_QUERY}\\?(?:${BEFORE_FRAGMENT}&)?issue=(${OWNER})${BAR}(${REPO})${BAR}${NUMBER}`;
const SPELLINGS = [
  `${GITHUB}/(${OWNER})/(${REPO})/issues/${NUMBER}(?:[/?#]${REST})?`,
  `${GITHUB}/${PANE}(?:[&#]${REST})?`,
  `(${OWNER})/(${REPO})(?:[ \\t]*#[ \\t]*|[ \\t]+)${NUMBER}`,
].map(whole);
const PULL_REQUEST = whole(`${GITHUB}/${OWNER}/${REPO}/pull/${NUMBER}(?:[/?#]${REST})?`);
const ONLY_NUMBER = whole(`#?[ \\t]*${NUMBER}`);
const MAX_NUMBER = 2 ** 31 - 1;

/**
 * Parse a reference to an issue: its address, or that of a page below it, the address of a board on which the
 * issue's pane is open, `owner/name#1` or `owner/name 1`. If `repo` is given, the issue's number is enough.
 *
 * @param {string} input
 * @param {?string} [repo] the repository of the issue if the reference is only a number
 * @returns {import("./types.d.ts").Issue | {mistake: "empty" | "form" | "pull" | "number"}}
 */
export function parseIssue(input, repo) {
  const text = input.trim();
  if (!text) return { mistake: "empty" };
  if (PULL_REQUEST.test(text)) return { mistake: "pull" };
  const digits = repo && ONLY_NUMBER.exec(text)?.[1];
  const reference = digits ? `${repo}#${digits}` : text;
  for (const spelling of SPELLINGS) {
    const [, owner, name, number] = spelling.exec(reference) ?? [];
    if (!number) continue;
    if (Number(number) < 1 || Number(number) > MAX_NUMBER) return { mistake: "number" };
    return { github_repo: `${owner}/${name}`, github_issue_number: Number(number) };
  }
  return { mistake: "form" };
}

/** @param {string} pattern */
function whole(pattern) {
  return new RegExp(`^(?:${pattern})$`, "i");
}
