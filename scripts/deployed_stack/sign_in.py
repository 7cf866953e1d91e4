"""The paths of a stack's sign-in."""

LOGIN_PATH = "/api/auth/login/"
# GitHub redirects to it after a sign-in: it has to be the App's "Callback URL".
CALLBACK_PATH = "/api/auth/callback/"
