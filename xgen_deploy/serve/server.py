"""Listens, says where, and answers until it is told to end."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from xgen_deploy.errors import XgenError
from xgen_deploy.serve.settings import ServeSettings
from xgen_deploy.serve.slow_clients import TimelyProtocol

_MOST_CONNECTIONS = 1000
_LONGEST_HEAD = 16 << 10
_ENDING = 3  # seconds for what is under way


def serve_forever(app: FastAPI, settings: ServeSettings, listens: Callable[[], object]) -> None:
    """Calls `listens` once the port is bound. Raises XgenError where it cannot be."""
    listener = _listener(settings)
    tls = settings.tls
    try:
        config = uvicorn.Config(
            app,
            http=TimelyProtocol,
            loop="asyncio",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=tls.cert if tls else None,
            ssl_keyfile=tls.key if tls else None,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_ENDING,
        )
        config.load()
    except OSError as error:  # ssl's errors are some
        listener.close()
        files = f"{tls.cert}, {tls.key}" if tls else ""
        raise XgenError(f"serve: {files}: {error.strerror or error}") from None
    try:
        listens()
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        return  # how it is ended


def _listener(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.listen else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.listen, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise XgenError(
            f"serve: {settings.listen}:{settings.port}: {error.strerror}; take another with "
            "`--port`, or end what listens there"
        ) from None
    return listener
