"""The web process: `flask run` finds it, and `gunicorn wsgi:app` serves it."""

from anchor import create_app

app = create_app()
