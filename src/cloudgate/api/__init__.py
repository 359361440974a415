"""REST API: who may ask what over HTTP?

`application` is the only place that touches a socket. `routes` says what there is, `handlers` say
what each call does: plain functions from a `Call` to an `Answer`, run on worker threads.
"""
