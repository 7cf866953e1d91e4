/** @import { Timer } from "../../../web/page/types.d.ts" */

/**
 * Return a stopped timer of one hour. The given fields replace the default values.
 *
 * @param {Partial<Timer>} [fields]
 * @returns {Timer}
 */
export function stoppedTimer(fields = {}) {
  return {
    id: "1-01",
    status: "stopped",
    is_counting: false,
    waiting_for: null,
    organization: "octo-org",
    start_time: "2026-11-24T09:00:00.000Z",
    end_time: "2026-11-24T10:00:00.000Z",
    duration: 3600,
    working_duration: 3600,
    active_duration: 3600,
    part_working_duration: 3600,
    part_first_day_working_duration: 3600,
    part_active_duration: 3600,
    last_pause_time: null,
    paused_duration: 0,
    pauses: [],
    github_issue_url: "https://github.com/octo-org/hello-world/issues/7",
    github_issue_number: 7,
    github_repo: "octo-org/hello-world",
    github_issue_title: null,
    description: "",
    source: "manual",
    stopped_by: "manual",
    last_sign_at: "2026-11-24T10:00:00.000Z",
    details_deleted: false,
    ...fields,
  };
}
