"""The login for an image's registry, where the manifest states one."""

from dataclasses import dataclass

from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.image_name import registry_of
from xgen_deploy.state.secret_uses import registry_password
from xgen_deploy.state.site import Site

# What Docker itself calls it.
_HUB = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class RegistryLogin:
    registry: str
    user: str
    password: SecretText


def registry_login(site: Site, secrets: SecretResolver, image: str) -> RegistryLogin | None:
    """Raises XgenError where the password is not at hand."""
    registry = registry_of(image)
    stated = site.registries.get(registry)
    if stated is None:
        return None
    password = secrets.value(registry_password(registry), stated.password)
    return RegistryLogin(_HUB if registry == "docker.io" else registry, stated.user, password)
