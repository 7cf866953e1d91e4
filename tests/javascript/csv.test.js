import assert from "node:assert/strict";
import { before, test } from "node:test";
import { dialectOf, NEUTRAL, toCsv } from "../../web/page/csv.js";
import { stoppedTimer } from "./support/timers.js";

before(() => {
  process.env.TZ = "Europe/Berlin";
});

/**
 * Return the field that a description has in the CSV file.
 *
 * @param {string} description
 */
function descriptionField(description) {
  const csv = toCsv([stoppedTimer({ description })]);
  return csv.slice(csv.indexOf("/issues/7,") + "/issues/7,".length, csv.indexOf(",manual,"));
}

test("lines end with CRLF, after a byte order mark and the names of the columns", () => {
  const csv = toCsv([stoppedTimer(), stoppedTimer()]);
  assert.ok(
    csv.startsWith("\ufeffid,status,organization,repository,issue,issue_title,issue_url,description,"),
  );
  assert.equal(csv.split("\r\n").length, 4);
  assert.ok(csv.endsWith("\r\n"));
});

test("a timer is one line with all columns", () => {
  const timer = stoppedTimer({
    start_time: "2026-11-24T22:30:00.250Z",
    end_time: "2026-11-25T00:00:30.500Z",
    working_duration: 5430.25,
    active_duration: 9000,
    part_working_duration: 30.5,
    part_active_duration: 60,
    paused_duration: 12.5,
    github_issue_title: "Say hello",
  });
  const [, line] = toCsv([timer]).split("\r\n");
  assert.equal(
    line,
    "1-01,stopped,octo-org,octo-org/hello-world,7,Say hello," +
      "https://github.com/octo-org/hello-world/issues/7,,manual,2026-11-24T22:30:00.250Z," +
      "2026-11-25T00:00:30.500Z,2026-11-24 23:30:00,2026-11-25 01:00:30,5430.25,1:30:30,30.5,0:00:30," +
      "9000,2:30:00,60,0:01:00,12.5",
  );
});

test("a timer without details has dates and sums, and no times", () => {
  const timer = stoppedTimer({
    start_time: "2026-11-24T11:59:00.250Z",
    end_time: "2026-11-24T12:01:30.500Z",
    working_duration: 150.25,
    paused_duration: 0,
    details_deleted: true,
  });
  const [, line] = toCsv([timer]).split("\r\n");
  assert.ok(line.includes(",manual,,,2026-11-24,2026-11-24,150.25,"), line);
});

test("missing values are empty", () => {
  const timer = stoppedTimer({
    organization: null,
    github_repo: null,
    github_issue_number: null,
    github_issue_url: null,
    end_time: null,
    working_duration: 0,
    active_duration: 0,
    part_working_duration: null,
    part_active_duration: null,
  });
  const [, line] = toCsv([timer]).split("\r\n");
  assert.equal(
    line,
    "1-01,stopped,,,,,,,manual,2026-11-24T09:00:00.000Z,,2026-11-24 10:00:00,,0,0:00:00,,0:00:00,0,0:00:00,,0:00:00,0",
  );
});

test("a field with a quote, a comma or a line break is quoted", () => {
  assert.equal(descriptionField('a "b", c'), '"a ""b"", c"');
  assert.equal(descriptionField("a,b"), '"a,b"');
  assert.equal(descriptionField("zwölf\nZeilen; und Ende"), '"zwölf\nZeilen; und Ende"');
  assert.equal(descriptionField("a; b"), "a; b");
});

for (const [text, field] of [
  ["+1", "'+1"],
  ["-1", "'-1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["＝1+1", "'＝1+1"],
  ['=HYPERLINK("https://evil.example";"x")', `"'=HYPERLINK(""https://evil.example"";""x"")"`],
  // If the comma is the decimal separator, Excel splits lines at semicolons, even within quotes. Other
  // programs split lines at tabs.
  ['x;=HYPERLINK("https://evil.example")', `"x;'=HYPERLINK(""https://evil.example"")"`],
  ['x;"=1+1', `"x;'""=1+1"`],
  ["x; +1", "x;' +1"],
  ["x\t@SUM(A1)", "x\t'@SUM(A1)"],
  ["zwölf\n-1\r\n=2", "\"zwölf\n'-1\r\n'=2\""],
  ["\t=1", "'\t'=1"],
]) {
  test(`${JSON.stringify(text)} is not a formula in a spreadsheet`, () => {
    assert.equal(descriptionField(text), field);
  });
}

test("a sign within a text is unchanged", () => {
  assert.equal(descriptionField("a=b"), "a=b");
  assert.equal(descriptionField("a -1"), "a -1");
});

for (const [locale, separator] of /** @type {const} */ ([
  ["de", ";"],
  ["fr-FR", ";"],
  ["pt-BR", ";"],
  ["de-AT", ";"],
  ["de-CH", ","],
  ["en-US", ","],
  ["ja", ","],
  // Persian has the Arabic decimal separator.
  ["fa", ","],
])) {
  test(`spreadsheets in ${locale} separate fields by "${separator}"`, () => {
    assert.equal(dialectOf(locale).separator, separator);
  });
}

test("a file with semicolons has decimal commas, and quotes a field with a semicolon", () => {
  const timer = stoppedTimer({ description: "a;b, c", active_duration: 5430.25, part_active_duration: 30.5 });
  const [header, line] = toCsv([timer], dialectOf("de")).split("\r\n");
  assert.ok(header.startsWith("\ufeffid;status;organization;"));
  assert.ok(line.includes(';"a;b, c";manual;'), line);
  assert.ok(line.endsWith(";5430,25;1:30:30;30,5;0:00:30;0"), line);
});

for (const [text, field] of [
  ["=1;2", `"'=1;2"`],
  ["a;+1", `"a;'+1"`],
  ['a;"=1', `"a;'""=1"`],
  ["-1,5", "'-1,5"],
]) {
  test(`${JSON.stringify(text)} is not a formula in a file with semicolons`, () => {
    const [, line] = toCsv([stoppedTimer({ description: text })], dialectOf("de")).split("\r\n");
    assert.ok(line.includes(`;${field};manual;`), line);
  });
}

test("the column of parts has the exact parts, so that their sum is that of the totals", () => {
  const parts = [0.001, 59.999, 3600, 86_399.5];
  const timers = parts.map((part_working_duration) => stoppedTimer({ part_working_duration }));
  for (const dialect of [NEUTRAL, dialectOf("de")]) {
    const [header, ...lines] = toCsv(timers, dialect).trim().split("\r\n");
    const column = header.split(dialect.separator).indexOf("part_working_seconds");
    const exported = lines.map((line) => Number(line.split(dialect.separator)[column].replace(",", ".")));
    assert.deepEqual(exported, parts);
  }
});
