"""REST API: who may ask what over HTTP?

`server` and `connections` touch sockets, and `application` makes calls of requests. `table` says
what there is, `handlers` say what each call does: plain functions from a `Call` to an `Answer`, run
on worker threads.
"""
