// The spellings of an issue, as in timer_core.domain.addresses. tests/issue_spellings.json tests both.
const OWNER = "(?<owner>[a-z\\d][\\w-]{0,38})";
const REPO = "(?<name>(?!\\.{1,2}(?![\\w.-]))[\\w.-]{1,100})";
const NUMBER = "(?<number>\\d{1,12})";
const GITHUB = "(https?://)?(www\\.)?github\\.com/";
const REST = "[^\\x00-\\x20\\x7f]*";
const BEFORE_QUERY = "[^\\x00-\\x20\\x7f?#]*";
const BEFORE_FRAGMENT = "[^\\x00-\\x20\\x7f#]*";
const BAR = "(\\||%7C)";
const SPELLINGS = [
  `${GITHUB}${OWNER}/${REPO}/(issues|(?<pull>pull))/${NUMBER}([/?#]${REST})?`,
  // The address of a board, or of a list of issues, names the issue whose pane is open.
  `${GITHUB}${BEFORE_QUERY}\\?(${BEFORE_FRAGMENT}&)?issue=${OWNER}${BAR}${REPO}${BAR}${NUMBER}([&#]${REST})?`,
  `${OWNER}/${REPO}([ \\t]*#[ \\t]*|[ \\t]+)${NUMBER}`,
].map(whole);
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
  const digits = repo && ONLY_NUMBER.exec(text)?.groups?.number;
  const reference = digits ? `${repo}#${digits}` : text;
  for (const spelling of SPELLINGS) {
    const { owner, name, pull, number } = spelling.exec(reference)?.groups ?? {};
    if (!number) continue;
    if (pull) return { mistake: "pull" };
    if (Number(number) < 1 || Number(number) > MAX_NUMBER) return { mistake: "number" };
    return { github_repo: `${owner}/${name}`, github_issue_number: Number(number) };
  }
  return { mistake: "form" };
}

/** @param {string} pattern */
function whole(pattern) {
  return new RegExp(`^(${pattern})$`, "i");
}
