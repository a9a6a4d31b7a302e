"""SECRET_KEY and AUDIT_KEY of a local portal, taken over by running processes when they were rotated."""

from django.conf import settings

from orgportal import rotation

FALLBACKS = {"SECRET_KEY": "SECRET_KEY_FALLBACKS", "AUDIT_KEY": "AUDIT_KEY_FALLBACKS"}


def refresh() -> None:
    """Bring the settings up to what `manage.py rotate_keys` has written. One `stat` for each when nothing changed."""
    for name, fallbacks in FALLBACKS.items():
        path = settings.ROTATING.get(name)
        kept = rotation.secrets_in(path) if path else ()
        if not kept:
            continue
        current, others = rotation.in_use(kept), rotation.accepted(kept)
        if (getattr(settings, name), getattr(settings, fallbacks)) != (current, others):
            # At no instant is a key missing that some other thread needs.
            setattr(settings, fallbacks, list(dict.fromkeys([getattr(settings, name), *others, current])))
            setattr(settings, name, current)
            setattr(settings, fallbacks, others)
