"""The paths of a stack's sign-in."""

LOGIN_PATH = "/api/auth/login/"
# The path of the App's "Callback URL", to which GitHub redirects after a sign-in.
CALLBACK_PATH = "/api/auth/callback/"
