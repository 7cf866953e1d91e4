"""The German texts of pages, by the English ones."""

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
    "Internal error": "Interner Fehler",
    "An internal error occurred. The log has the details under {request_id}.": (
        "Ein interner Fehler ist aufgetreten. Das Protokoll enthält die Einzelheiten unter {request_id}."
    ),
}
