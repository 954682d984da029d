"""An instance's secrets: current values, or those delivered before where one is not at hand."""

from dataclasses import dataclass

from xgen_deploy.render.delivered import Delivered, delivered, secret_files
from xgen_deploy.render.rendered import Secrets
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.resolver import NotAtHand, SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.state.secret_uses import SecretUse, instance_uses
from xgen_deploy.state.settings import SecretRef


@dataclass(frozen=True)
class InstanceSecrets:
    """The secrets of one instance on a connected host. `last` is its record, None before its first
    apply."""

    resolver: SecretResolver
    on: HostFiles
    layout: Layout
    name: str
    last: InstanceRecord | None

    def values(self, instance: Instance) -> Secrets:
        """All that it needs. Raises XgenError for one that is neither at hand nor delivered."""
        uses = instance_uses(self.on.host, self.name, instance.spec.api_key, instance.spec.env)
        return Secrets({ref: self.value(use, ref) for use, ref in uses})

    def value(self, use: SecretUse, ref: SecretRef) -> SecretText:
        """A delivered value is used only where the record has the same reference for the use."""
        try:
            return self.resolver.value(use, ref, self.on)
        except NotAtHand as error:
            if self._recorded().get(use) == ref and self.last is not None:
                value = self.delivered().get(use)
                if value is not None:
                    return value
            raise NotAtHand(f"{error}, and no earlier value was delivered there") from None

    def differ(self, instance: Instance) -> bool | None:
        """Whether a value differs from the delivered one; None where one is not at hand, and where
        a file is gone that was delivered: nobody knows what runs there. Changed references are
        ignored here: the plan shows them.
        """
        if None in self._files().values():
            return None
        known, recorded = self.delivered(), self._recorded()
        differs: bool | None = False
        spec = instance.spec
        for use, ref in instance_uses(self.on.host, self.name, spec.api_key, spec.env):
            if recorded.get(use) != ref:
                continue
            try:
                if self.resolver.value(use, ref, self.on) != known.get(use):
                    return True
            except NotAtHand:
                differs = None
        return differs

    def delivered(self) -> dict[SecretUse, SecretText]:
        """The values in the host's files."""
        if self.last is None:
            return {}
        files = delivered(self.last.spec, self._files())
        values = {use: _of(files, use) for use in self._recorded()}
        return {use: value for use, value in values.items() if value is not None}

    def _files(self) -> dict[str, bytes | None]:
        """The content of those that hold a secret; None for one that is gone."""
        if self.last is None:
            return {}
        name_on_host = f"{self.name}{self.last.slot}"
        paths = secret_files(self.last.spec, self.layout, name_on_host)
        return {kind: self.on.session.read_file(path) for kind, path in paths.items()}

    def _recorded(self) -> dict[SecretUse, SecretRef]:
        if self.last is None:
            return {}
        spec = self.last.spec
        return dict(instance_uses(self.on.host, self.name, spec.api_key, spec.env))


def _of(files: Delivered, use: SecretUse) -> SecretText | None:
    return files.api_key if use.kind == "key" else files.env.get(use.field.removeprefix("env."))
