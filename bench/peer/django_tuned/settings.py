from bench.peer.django_app.persistent import *  # noqa: F403
from bench.peer.django_app.settings import REST_FRAMEWORK

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
USE_I18N = False
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
ROOT_URLCONF = "bench.peer.django_tuned.urls"
REST_FRAMEWORK |= {
    "DEFAULT_AUTHENTICATION_CLASSES": ["bench.peer.django_tuned.authentication.CachedTokenAuthentication"],
    "DEFAULT_PAGINATION_CLASS": "bench.peer.django_tuned.pagination.NewestFirst",
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
