"""Changes that are asked for, begin or end are told to every open page."""

from xgen_deploy.documents.live import LiveChange
from xgen_deploy.serve.changes.change import Change
from xgen_deploy.serve.changes.changes import Changes
from xgen_deploy.serve.live.hub import Hub, Posted
from xgen_deploy.serve.security.users import User
from xgen_deploy.visible import json_text


def tell_changes(changes: Changes, hub: Hub) -> None:
    """Those that a user may see."""

    def tell(change: Change) -> None:
        told = LiveChange(id=change.id, state=change.state, user=change.asked.user)
        text = json_text(told.model_dump(mode="json"))
        hub.post(Posted("change", text, lambda user: _sees(changes, user, change)))

    changes.listeners.append(tell)


def _sees(changes: Changes, user: User, change: Change) -> bool:
    return any(seen.id == change.id for seen in changes.all(user))
