"""Where people sign in to a stack."""

LOGIN_PATH = "/api/auth/login/"
# Where GitHub sends them back to: the App's "Callback URL" has to be this.
CALLBACK_PATH = "/api/auth/callback/"
