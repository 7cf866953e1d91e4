// The sentences about why a timer counts or waits.

import { isolate } from "../widget/dom.js";
import { formats, text, widgetTexts } from "./language.js";

/** @import { Timer } from "../widget/types.d.ts" */

/** The texts by the act because of which a timer counts. @type {Record<string, Parameters<typeof text>[0]>} */
const BY_ACT = { start: "countsStarted", resume: "countsResumed", focus: "countsSwitched" };

/** The texts by the rule because of which a timer counts. @type {Record<string, Parameters<typeof text>[0]>} */
const BY_RULE = { parallel: "countsParallel", claim: "countsStated" };

/**
 * Return a sentence about why a timer counts; "" if only the server knows.
 *
 * @param {Timer} timer a timer that counts
 * @param {Date} now
 */
export function whyItCounts({ why, counting_share }, now) {
  if (!why) return "";
  const { rule, action, by, at } = why;
  if (rule === "shared" && counting_share < 1) {
    return text("countsShared", { percent: formats.percent(counting_share) });
  }
  if (Object.hasOwn(BY_RULE, rule)) return text(BY_RULE[rule]);
  const when = at ? pointInTime(new Date(at), now) : "";
  if (rule === "overtime") return when ? text("countsOvertime", { when }) : text("countsOvertimeOnly");
  if (rule !== "focus") return text("countsOnly");
  if (by === "manual" && action && Object.hasOwn(BY_ACT, action)) return text(BY_ACT[action], { when });
  const source = widgetTexts.sources[by ?? ""];
  return source && when ? text("countsByEvent", { source, when }) : text("countsLongest");
}

/**
 * Return a text about why a running timer waits, and when it continues.
 *
 * @param {Timer} timer a running timer that does not count
 * @param {Date} now
 * @param {(id: string) => Timer | undefined} find returns an open timer
 * @param {number} [count] the number of timers that the text is about
 */
export function whyItWaits({ waiting_for, counting_changes_at, why }, now, find, count = 1) {
  const at = continuesAt({ waiting_for, counting_changes_at });
  const continues = at ? text("continuesAt", { when: pointInTime(at, now) }) : "";
  const other = why?.timer ? find(why.timer) : undefined;
  const reasons = {
    schedule: widgetTexts.states.schedule,
    focus: other ? waitsFor(other, count) : text("waitsForFocus", { count }),
    break: text("waitsForBreak"),
  };
  return [waiting_for ? reasons[waiting_for] : text("countsNoLonger"), continues].filter(Boolean).join(" · ");
}

/**
 * Return a text about timers that wait for another one, which may not count either.
 *
 * @param {Timer} other
 * @param {number} count
 */
function waitsFor(other, count) {
  return text(other.is_counting ? "waitsForTimer" : "comesFirst", { name: nameInSentence(other), count });
}

/**
 * Return when a timer continues by itself.
 *
 * @param {Pick<Timer, "waiting_for" | "counting_changes_at">} timer
 * @returns {Date | null} null if that depends on other timers, which may be stopped, or may be forgotten, at any time
 */
export function continuesAt({ waiting_for, counting_changes_at: at }) {
  return at && (waiting_for === "schedule" || waiting_for === "break") ? new Date(at) : null;
}

/**
 * Return a time as a part of a sentence, such as "at 10:30" or "on Monday at 10:30".
 *
 * @param {Date} instant
 * @param {Date} now
 */
export function pointInTime(instant, now) {
  const time = formats.date("time", instant);
  const day = dayInSentence(instant, now);
  return day ? text("onDay", { day, time }) : text("atTime", { time });
}

/**
 * Return the day of a time as a part of a sentence: "" for today, the weekday within six days, or else the date.
 *
 * @param {Date} instant
 * @param {Date} now
 */
export function dayInSentence(instant, now) {
  if (instant.toDateString() === now.toDateString()) return "";
  const days = Math.abs(instant.getTime() - now.getTime()) / 86_400_000;
  return formats.date(days < 6 ? "longWeekday" : "dayOfMonth", instant);
}

/**
 * Return the name of a timer: its description if it has no issue.
 *
 * @param {Pick<Timer, "github_repo" | "github_issue_number" | "description">} timer
 */
export function timerName({ github_repo: repo, github_issue_number: number, description }) {
  return repo ? `${repo}#${number}` : description || text("noIssue");
}

/**
 * Return the name of a timer as a part of a sentence.
 *
 * @param {Parameters<typeof timerName>[0]} timer
 */
export function nameInSentence(timer) {
  return timer.github_repo || timer.description ? timerName(timer) : text("timerWithoutIssue");
}

/** @param {Parameters<typeof timerName>[0]} timer */
export function isolatedName(timer) {
  return isolate(timerName(timer));
}
