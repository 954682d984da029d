"""The page's own files: scripts, styles and their licences."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class OwnFiles(StaticFiles):
    """Browsers ask whether a file is still the same: another version of the tool has others."""

    def __init__(self) -> None:
        super().__init__(directory=Path(__file__).with_name("static"))

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response
