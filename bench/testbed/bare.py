"""Bare route: what would the same bytes cost, with nothing else done? A route of Starlette.

Run as a process of its own: ``python -m bench.testbed.bare PORT CERTIFICATE``. The path says the
size.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def answer(request: Request) -> Response:
    """Bytes of the size that is asked for."""
    await request.body()
    return Response(b"x" * int(request.path_params["size"]), media_type="application/json")


def main() -> None:
    """Serve until ended."""
    port, certificate = int(sys.argv[1]), sys.argv[2]
    routes = [Route("/{size:int}", answer, methods=["GET", "POST"])]
    uvicorn.run(
        Starlette(routes=routes),
        host="127.0.0.1",
        port=port,
        ssl_certfile=certificate,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        loop="uvloop",
        timeout_keep_alive=600,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
