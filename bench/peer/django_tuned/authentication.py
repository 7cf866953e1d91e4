from django.core.cache import cache
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from bench.peer.django_app.models import Person

_SECONDS = 60


class CachedTokenAuthentication(TokenAuthentication):
    """Looks a token up once a minute. A revoked token works until then."""

    def authenticate_credentials(self, key: str) -> tuple[Person, Token]:
        credentials: tuple[Person, Token] | None = cache.get(key)
        if credentials is None:
            credentials = super().authenticate_credentials(key)
            cache.set(key, credentials, _SECONDS)
        return credentials
