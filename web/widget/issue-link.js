// The spellings of an issue, as in timer_core.domain.addresses. tests/issue_spellings.json tests both.
const OWNER = "(?<owner>[a-z\\d][\\w-]{0,38})";
const REPO = "(?<name>(?!\\.{1,2}(?![\\w.-]))[\\w.-]{1,100})";
const NUMBER = "(?<number>\\d{1,12})";
const REST = "[^\\x00-\\x20\\x7f]*";
const BEFORE_QUERY = "[^\\x00-\\x20\\x7f?#]*";
const BEFORE_FRAGMENT = "[^\\x00-\\x20\\x7f#]*";
const BAR = "(\\||%7C)";
const MAX_NUMBER = 2 ** 31 - 1;

/**
 * Parse a reference to an issue or a pull request: its address, or that of a page below it, the address of a board
 * on which the issue's pane is open, `owner/name#1` or `owner/name 1`. If `repo` is given, its number is enough.
 * Addresses may be on github.com or below `github`.
 *
 * @param {string} input
 * @param {?string} [repo] the repository of the issue if the reference is only a number
 * @param {string} [github] the address of the GitHub that the server is connected to
 * @returns {import("./types.d.ts").Issue | {mistake: "empty" | "form" | "number"}}
 */
export function parseIssue(input, repo, github = "//github.com") {
  const text = input.trim();
  if (!text) return { mistake: "empty" };
  const reference = repo ? text.replace(/^#?[ \t]*(?=\d+$)/, `${repo}#`) : text;
  // A backslash before a character that is neither a letter nor a digit matches this character itself.
  const site = `(https?://)?(www\\.)?(github\\.com|${github.replace(/.*\/\//, "").replace(/\W/g, "\\$&")})/`;
  const spellings = [
    `${site}${OWNER}/${REPO}/(issues|(?<pull>pull))/${NUMBER}([/?#]${REST})?`,
    // The address of a board, or of a list of issues, names the issue whose pane is open.
    `${site}${BEFORE_QUERY}\\?(${BEFORE_FRAGMENT}&)?issue=${OWNER}${BAR}${REPO}${BAR}${NUMBER}([&#]${REST})?`,
    `${OWNER}/${REPO}([ \\t]*#[ \\t]*|[ \\t]+)${NUMBER}`,
  ];
  for (const spelling of spellings) {
    const { owner, name, pull, number } = new RegExp(`^(${spelling})$`, "i").exec(reference)?.groups ?? {};
    if (!number) continue;
    if (Number(number) < 1 || Number(number) > MAX_NUMBER) return { mistake: "number" };
    return {
      github_repo: `${owner}/${name}`,
      github_issue_number: Number(number),
      // Only the address says that it is a pull request.
      ...(pull && { github_issue_url: text }),
    };
  }
  return { mistake: "form" };
}
