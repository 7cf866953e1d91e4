import assert from "node:assert/strict";
import { test } from "node:test";
import { clocksIn, findZone, zoneNames } from "../../web/page/zones.js";

for (const [text, zone] of [
  ["Europe/Berlin", "Europe/Berlin"],
  [" europe/berlin ", "Europe/Berlin"],
  ["berlin", "Europe/Berlin"],
  ["new york", "America/New_York"],
  ["America/New York", "America/New_York"],
  ["utc", "UTC"],
  ["+05:30", null],
  ["Mars", null],
  ["Europe/Atlantis", null],
  ["", null],
]) {
  test(`${JSON.stringify(text)} is ${zone ?? "no time zone"}`, () => {
    assert.equal(findZone(text ?? ""), zone);
  });
}

test("both names of a zone that was renamed are known, and their ends", () => {
  for (const name of ["Asia/Kolkata", "Asia/Calcutta", "kolkata", "calcutta", "Europe/Kyiv", "kyiv"]) {
    const zone = findZone(name);
    assert.ok(zone);
    assert.equal(clocksIn(zone, new Date("2026-11-24T12:00Z")).day, "2026-11-24");
  }
});

test("every zone of the browser is found by its name", () => {
  for (const name of zoneNames()) assert.equal(findZone(name), name);
});

for (const [zone, day, weekday, minutes] of /** @type {[string, string, string, number][]} */ ([
  ["UTC", "2026-11-24", "tue", 1125],
  ["Asia/Kathmandu", "2026-11-25", "wed", 30],
  ["Australia/Lord_Howe", "2026-11-25", "wed", 345],
  ["America/St_Johns", "2026-11-24", "tue", 915],
])) {
  test(`clocks in ${zone} show ${day} and ${minutes} minutes`, () => {
    assert.deepEqual(clocksIn(zone, new Date("2026-11-24T18:45:59Z")), { day, weekday, minutes });
  });
}
