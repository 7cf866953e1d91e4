"""The German texts of pages."""

from http import HTTPStatus

from timer_core.domain.errors import ErrorCode

PAGE_NOT_FOUND = "Seite nicht gefunden"
NO_PAGE = "Unter dieser Adresse gibt es keine Seite."
TITLES = {
    HTTPStatus.BAD_REQUEST: "Ungültige Anfrage",
    HTTPStatus.UNAUTHORIZED: "Nicht angemeldet",
    HTTPStatus.FORBIDDEN: "Nicht erlaubt",
    HTTPStatus.NOT_FOUND: "Nicht gefunden",
    HTTPStatus.METHOD_NOT_ALLOWED: "Methode nicht erlaubt",
    HTTPStatus.CONFLICT: "Nicht möglich",
    HTTPStatus.PRECONDITION_FAILED: "Inzwischen geändert",
    HTTPStatus.PRECONDITION_REQUIRED: "Stand erforderlich",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Anfrage zu groß",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Medientyp nicht unterstützt",
    HTTPStatus.TOO_MANY_REQUESTS: "Zu viele Anfragen",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Interner Fehler",
}
# The same texts as in `errors` of web/widget/strings.de.js; tests/unit/test_errors.py compares them.
ERRORS = {
    ErrorCode.INTERNAL_ERROR: "Im Server ist ein Fehler aufgetreten.",
    ErrorCode.INVALID_REQUEST: "Die Anfrage ist ungültig.",
    ErrorCode.UNAUTHORIZED: "Du bist nicht angemeldet.",
    ErrorCode.FORBIDDEN: "Das ist dir nicht erlaubt.",
    ErrorCode.NOT_FOUND: "Das gibt es nicht oder nicht mehr.",
    ErrorCode.IDEMPOTENCY_KEY_REUSED: "Ein früherer Versuch wurde schon gespeichert. Lade die Seite neu.",
    ErrorCode.TOO_MANY_CHANGES: "Zu viele Änderungen in einer Minute. Versuche es gleich noch einmal.",
    ErrorCode.CHANGED_MEANWHILE: (
        "Das wurde inzwischen geändert. Lade die Seite neu, und versuche es noch einmal."
    ),
    ErrorCode.IF_MATCH_REQUIRED: "Der Anfrage fehlt der Stand, auf den sie sich bezieht. Lade die Seite neu.",
    ErrorCode.BUSY: "Der Server ist ausgelastet. Versuche es gleich noch einmal.",
    ErrorCode.TIMER_RUNNING: "Das geht nicht, solange der Timer läuft.",
    ErrorCode.TIMER_PAUSED: "Das geht nicht, solange der Timer pausiert ist.",
    ErrorCode.TIMER_STOPPED: "Das geht nicht mehr, weil der Timer gestoppt ist.",
    ErrorCode.TIMER_CHANGED_SINCE: "Der Timer hat sich nach dieser Zeit schon geändert.",
    ErrorCode.TOO_MANY_TRANSITIONS: (
        "Dieser Timer wurde zu oft pausiert und fortgesetzt. Stoppe ihn, und starte einen neuen."
    ),
    ErrorCode.NOT_YOUR_TIMER: "Dieser Timer gehört einer anderen Person.",
    ErrorCode.OTHER_TIMER_OPEN: "Für dieses Issue ist schon ein anderer Timer offen.",
    ErrorCode.TOO_MANY_TOKENS: "Du hast zu viele Token. Widerrufe zuerst eins.",
    ErrorCode.DAY_CONFIRMED: "Dieser Tag ist bestätigt. Öffne ihn wieder, um ihn zu ändern.",
    ErrorCode.DETAILS_DELETED: (
        "Die Einzelheiten dieses Tages sind gelöscht. Seine Summen bleiben und ändern sich nicht mehr."
    ),
    ErrorCode.DAY_LOCKED: "Dieser Tag ist gesperrt. Deine Organisation hat ihn abgeschlossen.",
    ErrorCode.REPORT_TOO_LARGE: (
        "Dieser Bericht ist zu groß. Wähle einen kürzeren Zeitraum, weniger Personen oder gröbere Gruppen."
    ),
    ErrorCode.EXPORT_RUNNING: "Deine letzte Datei wird noch erstellt.",
    ErrorCode.UNKNOWN_PERSON: "Die Zeit dieser Person kannst du nicht sehen.",
    ErrorCode.INVALID_VALUE: "Dieser Wert ist ungültig.",
    ErrorCode.UNKNOWN_FIELD: "Dieses Feld kennt der Server nicht.",
    ErrorCode.REQUIRED: "Diese Angabe fehlt.",
    ErrorCode.TOO_SHORT: "Das ist zu kurz.",
    ErrorCode.TOO_LONG: "Das ist zu lang.",
    ErrorCode.OUT_OF_RANGE: "Diese Zahl ist zu klein oder zu groß.",
    ErrorCode.INVALID_DATE: "Das ist kein gültiges Datum.",
    ErrorCode.INVALID_TIME_OF_DAY: "Das ist keine gültige Uhrzeit: Schreibe sie wie 09:00.",
    ErrorCode.INTERVALS_OVERLAP: "Diese Zeiten überschneiden sich.",
    ErrorCode.UNKNOWN_REGION: "Für dieses Land oder diese Region sind keine Feiertage bekannt.",
    ErrorCode.TOO_MANY_VALUES: "Mehr davon lassen sich nicht speichern. Lösche zuerst etwas.",
    ErrorCode.CONTROL_CHARACTERS: "Steuerzeichen sind nicht erlaubt.",
    ErrorCode.INVALID_TIME: "Das ist keine gültige Zeit.",
    ErrorCode.IN_THE_FUTURE: "Die Zeit darf nicht in der Zukunft liegen.",
    ErrorCode.IN_THE_PAST: "Die Zeit muss in der Zukunft liegen.",
    ErrorCode.TOO_LONG_AGO: "Die Zeit liegt zu weit zurück.",
    ErrorCode.DAY_NOT_OVER: "Dieser Tag ist noch nicht vorbei.",
    ErrorCode.END_BEFORE_START: "Das Ende muss nach dem Beginn liegen.",
    ErrorCode.PAUSES_DO_NOT_FIT: "Die Pausen passen nicht zwischen Beginn und Ende.",
    ErrorCode.PAUSES_OVERLAP: "Die Pausen dürfen sich nicht überschneiden.",
    ErrorCode.OUTSIDE_OF_TIMER: "Die Zeit liegt außerhalb des Timers.",
    ErrorCode.UNKNOWN_TIME_ZONE: "Die Zeitzone deines Geräts kennt der Server nicht.",
    ErrorCode.NOT_AN_ISSUE: "Das ist kein Issue auf GitHub.",
    ErrorCode.NOT_A_REPOSITORY: "Das ist kein Repository: Schreibe owner/name.",
    ErrorCode.NOT_AN_ORGANIZATION: "Das ist keine Adresse einer Organisation.",
    ErrorCode.NOT_AN_ADDRESS: "Das ist keine HTTPS-Adresse eines öffentlichen Servers.",
    ErrorCode.CONTRADICTION: "Diese Angabe widerspricht einer anderen.",
    ErrorCode.INVALID_CURSOR: "Die Liste hat sich geändert. Lade die Seite neu.",
}
# The texts by the English ones.
TEXTS = {
    "Try again": "Erneut versuchen",
    "Signed in": "Angemeldet",
    "You can close this window.": "Du kannst dieses Fenster schließen.",
    "Not signed in": "Nicht angemeldet",
    "You did not authorize Issue Timer at GitHub.": "Du hast Issue Timer bei GitHub nicht autorisiert.",
    "The page that opened this window is gone. Close this window and sign in there again.": (
        "Die Seite, die dieses Fenster geöffnet hat, gibt es nicht mehr. Schließe dieses Fenster und melde "
        "dich dort neu an."
    ),
    "Sign-in failed": "Anmeldung fehlgeschlagen",
    "This address does not continue a sign-in of this Issue Timer.": (
        "Diese Adresse setzt keine Anmeldung bei diesem Issue Timer fort."
    ),
    "This sign-in began in another browser, or this browser has not kept its cookie.": (
        "Diese Anmeldung begann in einem anderen Browser, oder dieser Browser hat ihr Cookie nicht behalten."
    ),
    "This sign-in took longer than {minutes} minutes.": (
        "Diese Anmeldung dauerte länger als {minutes} Minuten."
    ),
    "This sign-in was used before, and each one works only once.": (
        "Diese Anmeldung wurde schon verwendet, und jede funktioniert nur einmal."
    ),
    "GitHub's redirect was incomplete: it has neither a code nor an error.": (
        "Die Weiterleitung von GitHub war unvollständig: Sie enthält weder einen Code noch einen Fehler."
    ),
    "GitHub did not confirm the sign-in.": "GitHub hat die Anmeldung nicht bestätigt.",
    "GitHub did not answer as expected. Please try again in a minute.": (
        "GitHub hat nicht wie erwartet geantwortet. Bitte versuche es in einer Minute noch einmal."
    ),
    "GitHub refused the sign-in ({reason}). The operator of this Issue Timer may have to correct it.": (
        "GitHub hat die Anmeldung abgelehnt ({reason}). Möglicherweise muss der Betreiber dieses Issue "
        "Timers den Fehler beheben."
    ),
    "Signing in is not possible": "Anmelden ist nicht möglich",
    "This Issue Timer has no working connection to GitHub. Its operator can set one up.": (
        "Dieser Issue Timer hat keine funktionierende Verbindung zu GitHub. Der Betreiber kann sie "
        "einrichten."
    ),
    "Web site not allowed": "Website nicht zugelassen",
    "The operator of this Issue Timer has not allowed sign-ins for {origin}.": (
        "Der Betreiber dieses Issue Timers hat Anmeldungen für {origin} nicht zugelassen."
    ),
    "Account not allowed": "Konto nicht zugelassen",
    "GitHub lists {login} in no organization that uses this Issue Timer. Nothing was stored about you.": (
        "Laut GitHub gehört {login} zu keiner Organisation, die diesen Issue Timer verwendet. Über dich "
        "wurde nichts gespeichert."
    ),
    (
        "GitHub lists {login} in no organization that uses this Issue Timer. You are signed out everywhere, "
        "and your API tokens are revoked. Your account and your timers are still stored; the operator of "
        "this Issue Timer can delete them."
    ): (
        "Laut GitHub gehört {login} zu keiner Organisation, die diesen Issue Timer verwendet. Du bist "
        "überall abgemeldet, und deine API-Token sind widerrufen. Dein Konto und deine Timer sind noch "
        "gespeichert; der Betreiber dieses Issue Timers kann sie löschen."
    ),
    "The log has the details under {request_id}.": (
        "Das Protokoll enthält die Einzelheiten unter {request_id}."
    ),
}
