"""JSON Web Tokens as TaskMQ's clients make them."""

import datetime

import jwt


def token(secret, **claims):
    """A token that is valid for an hour."""
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    return jwt.encode({"sub": "someone", "exp": end, **claims}, secret, algorithm="HS256")
