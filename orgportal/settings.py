"""Django's settings. Every value that an operator may change comes from `orgportal.env`."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from orgportal import secrets_store
from orgportal.env import read_environment

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = read_environment()

PRODUCTION = (ENVIRONMENT["ORGPORTAL_ENV"] or ("production" if ENVIRONMENT["MONGODB_URI"] else "local")) == "production"
DEBUG = ENVIRONMENT["DEBUG"]
DATA_DIR = (BASE_DIR / ENVIRONMENT["DATA_DIR"]).resolve()
HOST = ENVIRONMENT["HOST"]
PORT = ENVIRONMENT["PORT"]
WEB_WORKERS = max(1, ENVIRONMENT["WEB_WORKERS"])
WEB_THREADS = max(1, ENVIRONMENT["WEB_THREADS"])

REQUIRED = ("SECRET_KEY", "JWT_PRIVATE_KEY", "AUDIT_KEY", "SITE_URL", "MONGODB_URI")
if PRODUCTION:
    missing = [name for name in REQUIRED if not ENVIRONMENT[name]]
    if missing:
        raise ImproperlyConfigured("Production needs these settings in the environment: " + ", ".join(missing))

# Where local secrets that rotate are kept, by setting; those from the environment rotate with it.
ROTATING = {
    name: DATA_DIR / f"{name.lower()}s.json"
    for name in ("SECRET_KEY", "AUDIT_KEY", "JWT_PRIVATE_KEY")
    if not ENVIRONMENT[name]
}
SECRET_KEY = ENVIRONMENT["SECRET_KEY"] or secrets_store.secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = list(ENVIRONMENT["SECRET_KEY_FALLBACKS"])
JWT_PRIVATE_KEY = ENVIRONMENT["JWT_PRIVATE_KEY"] or secrets_store.signing_key(DATA_DIR)
JWT_RETIRED_KEYS = ENVIRONMENT["JWT_RETIRED_KEYS"]
AUDIT_KEY = ENVIRONMENT["AUDIT_KEY"] or secrets_store.audit_key(DATA_DIR)
AUDIT_KEY_FALLBACKS = list(ENVIRONMENT["AUDIT_KEY_FALLBACKS"])

SITE_URL = (ENVIRONMENT["SITE_URL"] or f"http://127.0.0.1:{PORT}").rstrip("/")
if urlsplit(SITE_URL).scheme not in {"http", "https"} or not urlsplit(SITE_URL).hostname:
    raise ImproperlyConfigured(
        "Wrong settings in the environment: SITE_URL: use an address like https://portal.example"
    )
SECURE = SITE_URL.startswith("https://")
ALLOWED_HOSTS = list(ENVIRONMENT["ALLOWED_HOSTS"]) or [str(urlsplit(SITE_URL).hostname)]
if not PRODUCTION and not ENVIRONMENT["ALLOWED_HOSTS"]:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
TRUSTED_PROXIES = ENVIRONMENT["TRUSTED_PROXIES"]

MONGODB_URI = ENVIRONMENT["MONGODB_URI"]
MONGODB_DATABASE = ENVIRONMENT["MONGODB_DATABASE"]
CLUSTERS: dict[str, str] = dict(ENVIRONMENT["CLUSTERS"])
CLUSTER_CAPACITY = ENVIRONMENT["CLUSTER_CAPACITY"]
DATABASE_DEADLINE = ENVIRONMENT["DATABASE_DEADLINE"]
DDL_DEADLINE = ENVIRONMENT["DDL_DEADLINE"]
LEASE_SECONDS = ENVIRONMENT["LEASE_SECONDS"]

BCRYPT_ROUNDS = ENVIRONMENT["BCRYPT_ROUNDS"]
BCRYPT_CONCURRENCY = ENVIRONMENT["BCRYPT_CONCURRENCY"]
SESSION_IDLE_SECONDS = ENVIRONMENT["SESSION_IDLE_SECONDS"]
SESSION_ABSOLUTE_SECONDS = ENVIRONMENT["SESSION_ABSOLUTE_SECONDS"]
REMEMBERED_IDLE_SECONDS = ENVIRONMENT["REMEMBERED_IDLE_SECONDS"]
REMEMBERED_ABSOLUTE_SECONDS = ENVIRONMENT["REMEMBERED_ABSOLUTE_SECONDS"]
ACCESS_TOKEN_SECONDS = ENVIRONMENT["ACCESS_TOKEN_SECONDS"]
REFRESH_IDLE_SECONDS = ENVIRONMENT["REFRESH_IDLE_SECONDS"]
REFRESH_ABSOLUTE_SECONDS = ENVIRONMENT["REFRESH_ABSOLUTE_SECONDS"]
API_KEY_MAX_DAYS = ENVIRONMENT["API_KEY_MAX_DAYS"]
GUESSES_PER_ACCOUNT = ENVIRONMENT["GUESSES_PER_ACCOUNT"]
GUESSES_PER_ADDRESS = ENVIRONMENT["GUESSES_PER_ADDRESS"]
GUESS_WINDOW_SECONDS = ENVIRONMENT["GUESS_WINDOW_SECONDS"]
SIGNUPS_PER_ADDRESS = ENVIRONMENT["SIGNUPS_PER_ADDRESS"]
if SIGNUPS_PER_ADDRESS == "":
    SIGNUPS_PER_ADDRESS = 100 if PRODUCTION else 0
MAILS_PER_RECIPIENT = ENVIRONMENT["MAILS_PER_RECIPIENT"]
MAIL_REQUESTS_PER_ADDRESS = ENVIRONMENT["MAIL_REQUESTS_PER_ADDRESS"]
INVITATIONS_PER_ORGANIZATION = ENVIRONMENT["INVITATIONS_PER_ORGANIZATION"]
SUDO_SECONDS = ENVIRONMENT["SUDO_SECONDS"]
JWT_ISSUER = SITE_URL
JWT_AUDIENCE = ENVIRONMENT["JWT_AUDIENCE"]
SCHEMA_CHECK_SECONDS = ENVIRONMENT["SCHEMA_CHECK_SECONDS"]
INDEXES_PER_ORGANIZATION = ENVIRONMENT["INDEXES_PER_ORGANIZATION"]
MAX_BODY_BYTES = ENVIRONMENT["MAX_BODY_BYTES"]
IMPORT_MAX_BYTES = ENVIRONMENT["IMPORT_MAX_BYTES"]
IMPORT_MAX_LINES = ENVIRONMENT["IMPORT_MAX_LINES"]
IMPORT_MAX_LINE_BYTES = ENVIRONMENT["IMPORT_MAX_LINE_BYTES"]
IMPORT_MAX_CELL_CHARACTERS = ENVIRONMENT["IMPORT_MAX_CELL_CHARACTERS"]
IMPORT_MAX_COLUMNS = ENVIRONMENT["IMPORT_MAX_COLUMNS"]

EMAIL_HOST = ENVIRONMENT["EMAIL_HOST"]
EMAIL_USE_SSL = ENVIRONMENT["EMAIL_USE_SSL"]
EMAIL_USE_TLS = ENVIRONMENT["EMAIL_USE_TLS"] and not EMAIL_USE_SSL
EMAIL_PORT = ENVIRONMENT["EMAIL_PORT"] or (465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
EMAIL_HOST_USER = ENVIRONMENT["EMAIL_USER"]
EMAIL_HOST_PASSWORD = ENVIRONMENT["EMAIL_PASSWORD"]
EMAIL_TIMEOUT = ENVIRONMENT["EMAIL_TIMEOUT"]
EMAIL_FROM = ENVIRONMENT["EMAIL_FROM"]
MAIL_RETRY_SECONDS = ENVIRONMENT["MAIL_RETRY_SECONDS"]
MAIL_GIVE_UP_SECONDS = ENVIRONMENT["MAIL_GIVE_UP_SECONDS"]
INVITATION_SECONDS = ENVIRONMENT["INVITATION_SECONDS"]
VERIFICATION_SECONDS = ENVIRONMENT["VERIFICATION_SECONDS"]
RESET_SECONDS = ENVIRONMENT["RESET_SECONDS"]
LOG_LEVEL = ENVIRONMENT["LOG_LEVEL"]

# There is no SQL database: everything lives in MongoDB.
DATABASES: dict[str, dict[str, str]] = {}

# How `accounts` asks about organizations without knowing `tenants`.
ORGANIZATION_DIRECTORY = "tenants.directory.MasterDirectory"

INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "csp",
    "django_htmx",
    "orgportal",
    "accounts",
    "tenants",
]

MIDDLEWARE = [
    "orgportal.middleware.RequestIdMiddleware",
    "orgportal.middleware.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "orgportal.middleware.ErrorMiddleware",
    "orgportal.middleware.DeadlineMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.PrincipalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "orgportal.middleware.PrivateByDefaultMiddleware",
]

ROOT_URLCONF = "orgportal.urls"
WSGI_APPLICATION = "orgportal.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "orgportal.pages.portal_context",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"


def _static_files_of(package: str) -> Path:
    """The folder in which an installed package keeps its static files, without importing the package."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ImproperlyConfigured(f"{package} is not installed: run `pip install -r requirements.txt`")
    return Path(found.origin).parent / "static"


# Of ninja only the files are wanted here (Swagger UI). As an app, all of it and Django's test framework with it would
# be imported by every command and by the worker.
STATICFILES_DIRS = [BASE_DIR / "static", _static_files_of("ninja")]
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Messages ride in a signed cookie: a session in the database is only for who is logged in.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

PASSWORD_HASHERS = ["accounts.passwords.ConfiguredBcryptHasher"]

# `__Host-` needs Secure, which a browser keeps only over https (or on localhost, but not all of them do).
COOKIE_PREFIX = "__Host-" if SECURE else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}orgportal_session"
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}orgportal_csrf"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "orgportal.pages.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
LANGUAGE_COOKIE_SECURE = SECURE

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
USE_X_FORWARDED_HOST = False
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# Most requests are held to MAX_BODY_BYTES before; what is left are forms with a whole record as text.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

LOGGING_CONFIG = "orgportal.logs.configure"
LOGGING: dict[str, str] = {"level": LOG_LEVEL}
