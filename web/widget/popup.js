/**
 * Have somebody sign in in a popup, and wait until it hands over a session: docs/security.md.
 *
 * @param {string} server Issue Timer's origin
 * @param {AbortSignal} [signal] ends the waiting
 * @returns {Promise<{token: string, expires: number}>} `expires` in milliseconds since the epoch
 * @throws {Error} whose `isBlocked` is true, if the browser does not open one
 */
export function sessionOfPopup(server, signal) {
  const query = new URLSearchParams({ origin: location.origin });
  const popup = open(`${server}/api/auth/login/?${query}`, "issue-timer-sign-in", "width=480,height=680");
  return new Promise((resolve, reject) => {
    if (!popup) return reject(Object.assign(new Error("popup"), { isBlocked: true }));
    /** @param {MessageEvent} event */
    const hear = ({ origin, source, data }) => {
      if (origin !== server || source !== popup || data?.type !== "issue-timer:session") return;
      removeEventListener("message", hear);
      resolve({ token: data.session, expires: data.expires });
    };
    addEventListener("message", hear, { signal });
  });
}
