"""`GET /healthz`: for whoever looks whether the program is there. No host is asked."""

from fastapi import APIRouter

from xgen_deploy.frozen import Frozen

router = APIRouter()


class Health(Frozen):
    status: str = "ok"


@router.get("/healthz", tags=["about"])
def health() -> Health:
    """That the program answers; no login is needed."""
    return Health()
