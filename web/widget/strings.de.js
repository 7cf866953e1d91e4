/**
 * The widget's texts in German.
 *
 * @type {import("./types.d.ts").Strings}
 */
export default {
  widget: "Issue Timer",
  today: "Heute",
  issue: "Issue",
  placeholder: "owner/repo#1 oder URL",
  start: "Starten",
  pause: "Pause",
  resume: "Weiter",
  stop: "Stopp",
  running: "Läuft",
  paused: "Pausiert",
  since: (time) => `seit ${time}`,
  noIssue: "Kein Issue",
  loading: "Timer werden geladen…",
  none: "Es läuft kein Timer.",
  noneHint: "Weise dir auf GitHub ein Issue zu, oder starte hier eins.",
  signedOut: "Melde dich an, um deine Timer zu sehen und zu steuern.",
  expired: "Deine Sitzung ist abgelaufen. Melde dich an, um weiterzumachen.",
  kept: (count) =>
    count === 1
      ? "Deine Änderung bleibt bis dahin erhalten."
      : `Deine ${count} Änderungen bleiben bis dahin erhalten.`,
  signIn: "Mit GitHub anmelden",
  signOut: "Abmelden",
  offline: "Keine Verbindung.",
  busy: "Der Server ist ausgelastet.",
  retrying: "Neuer Versuch läuft…",
  waiting: (count) =>
    count === 1 ? "Eine Änderung wartet auf das Senden." : `${count} Änderungen warten auf das Senden.`,
  tryNow: "Jetzt versuchen",
  unsent: "noch nicht gesendet",
  sources: {
    assigned: "dir zugewiesen",
    reopened: "wieder geöffnet",
    labeled: "durch Label",
    project: "auf dem Board verschoben",
    comment: "durch Kommentar",
  },
  own: {
    start: (name) => `${name} gestartet.`,
    pause: (name) => `${name} pausiert.`,
    resume: (name) => `${name} läuft weiter.`,
    stop: (name, time) => `${name} bei ${time} gestoppt.`,
  },
  elsewhere: {
    start: (name) => `${name} wurde gestartet.`,
    pause: (name) => `${name} wurde anderswo pausiert.`,
    resume: (name) => `${name} wurde anderswo fortgesetzt.`,
    stop: (name) => `${name} wurde anderswo gestoppt.`,
  },
  alreadyRunning: (name) => `${name} läuft bereits.`,
  problems: {
    refused: "Rückgängig gemacht:",
    waiting: "Deine Änderung ist gespeichert und wird so bald wie möglich gesendet.",
    popup:
      "Der Browser hat das Anmeldefenster blockiert. Erlaube Pop-ups für diese Seite, und versuche es noch einmal.",
    failed: "Das hat nicht geklappt:",
  },
  mistakes: {
    empty: "Welches Issue? Füge die Adresse ein, oder schreibe owner/repo#1.",
    form: "Das ist kein Issue auf GitHub. Füge die Adresse ein, oder schreibe owner/repo#1.",
    pull: "Das ist ein Pull Request. Timer gibt es für Issues.",
    number: "Ein Issue mit dieser Nummer gibt es nicht.",
  },
};
