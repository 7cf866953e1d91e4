/**
 * Open a popup for signing in, and wait for the session that the popup posts (docs/security.md).
 *
 * @param {string} server Issue Timer's origin
 * @param {AbortSignal} [signal] ends the wait
 * @returns {Promise<{token: string, expires: number}>} `expires` in milliseconds since the epoch
 * @throws {Error} with the property `isBlocked` if the browser blocks the popup
 */
export function sessionOfPopup(server, signal) {
  const query = new URLSearchParams({ origin: location.origin });
  const popup = open(`${server}/api/auth/login/?${query}`, "issue-timer-sign-in", "width=480,height=680");
  return new Promise((resolve, reject) => {
    if (!popup) return reject(Object.assign(new Error("popup"), { isBlocked: true }));
    /** @param {MessageEvent} event */
    const receive = ({ origin, source, data }) => {
      if (origin !== server || source !== popup || data?.type !== "issue-timer:session") return;
      removeEventListener("message", receive);
      resolve({ token: data.session, expires: data.expires });
    };
    addEventListener("message", receive, { signal });
  });
}
