"""What gunicorn serves: `gunicorn -c orgportal/gunicorn_conf.py orgportal.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orgportal.settings")
application = get_wsgi_application()
