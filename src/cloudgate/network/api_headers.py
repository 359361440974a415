"""Headers of the API's own: what are they called?"""

SESSION_ID = "X-RestSvcSessionId"
"""Of a log-on's answer and of what is asked in its session; the cookie has the same name."""
CODE = "X-Cloudgate-Code"
"""Of a log-on: the code of now, where the account has a second factor."""
