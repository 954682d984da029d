"""Brings what a plan needs to its hosts, before any lock is taken."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from xgen_deploy.apply.events import Listener
from xgen_deploy.apply.transfer_progress import TransferProgress
from xgen_deploy.errors import XgenError
from xgen_deploy.faults import fault_of
from xgen_deploy.files.image_blobs import image_artifact, image_load, image_places
from xgen_deploy.files.places import places
from xgen_deploy.hub.local_digests import LocalDigests, cache_folder
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.hub import hub_access
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.fetch import Fetch, Leg, Places
from xgen_deploy.state.host import Host
from xgen_deploy.state.transfer import Access, TransferRequest, WantedFile
from xgen_deploy.transfer.chain import Hop, bring, linked
from xgen_deploy.transfer.host_transfer import FromHere, TransferEvent, TransferFailed
from xgen_deploy.transfer.local_store import HERE, LocalStore, hugging_face_home

_LOOK_UP = 0.5


class Fetching:
    """Of one command. `limit_rate` in bytes a second, 0: what the manifest says."""

    def __init__(
        self, run: Run, secrets: SecretResolver, tell: Listener, *, limit_rate: int = 0
    ) -> None:
        self._run, self._tell = run, tell
        self._rate = limit_rate or run.site.fetch.rate
        token, proxy, ca = hub_access(run.site, secrets, commands=True)
        self._access = Access(token=token, proxy=proxy, ca=ca)
        self._digests = LocalDigests(cache_folder())

    def bring(self, fetches: Sequence[Fetch]) -> dict[str, XgenError]:
        """One after another, each to all of its hosts at once; the hosts that have not got one,
        with the reason."""
        lost: dict[str, XgenError] = {}
        for fetch in fetches:
            threads = [
                threading.Thread(target=self._chain, args=(fetch, chain, lost), daemon=True)
                for chain in fetch.chains
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():  # a Ctrl-C right before a wait would not end it
                    thread.join(_LOOK_UP)
        return lost

    def hops(self, fetch: Fetch) -> Iterator[Hop]:
        """Where nothing comes from this machine. Raises XgenError."""
        for chain in fetch.chains:
            hops = linked([self._alone(fetch, leg, chain) for leg in chain])
            yield from (_by_itself(*pair, fetch.artifact) for pair in zip(hops, chain, strict=True))

    def _alone(self, fetch: Fetch, leg: Leg, chain: Sequence[Leg]) -> Hop:
        """One that asks the source itself should the host before it be lost. The token goes only to
        who is to fetch. Raises XgenError."""
        hop = self._hop(fetch, leg, chain, _nothing)
        if not leg.alone:
            return hop
        token = self._access.token if fetch.artifact.gated else None
        access = replace(self._access, token=token)
        return replace(hop, request=replace(hop.request, alone=True, access=access))

    def _chain(self, fetch: Fetch, chain: Sequence[Leg], lost: dict[str, XgenError]) -> None:
        artifact = fetch.artifact
        told = {leg.host: self._progress(leg.host, artifact) for leg in chain}
        told[HERE] = self._progress(HERE, artifact)
        try:
            from_here = self._held(fetch, chain) or self._from_here(artifact, told[HERE])
            hops = [self._hop(fetch, leg, chain, from_here) for leg in chain]
            for leg in chain:
                told[leg.host].begin(_source(leg, artifact))
            results = {**bring(hops, from_here, lambda host, event: told[host](event))}
            for host in [h for h, failure in results.items() if _was_thin(failure)]:
                results |= self._whole_image(fetch, host, told[host])
        except XgenError as error:
            results = {leg.host: error for leg in chain}
        except Exception as error:  # noqa: BLE001 - a host without its files is not to be changed
            results = {leg.host: fault_of(leg.host, error) for leg in chain}
        for host, failure in results.items():
            if failure is None:
                told[host].done()
            else:
                told[host].failed(str(failure))
                lost[host] = failure

    def _whole_image(
        self, fetch: Fetch, host: str, told: TransferProgress
    ) -> dict[str, XgenError | None]:
        """All layers, where the daemon lacks one that it seemed to have. Raises XgenError."""
        artifact, images = fetch.artifact, self._run.images
        if artifact.image is None or images is None:
            raise XgenError(f"{artifact.name} is no image")
        whole = image_artifact(artifact.image, artifact.name, artifact.origin, 0, images().here)
        root = fetch.places[host].root
        found = {host: image_places(whole, root)}
        again = replace(fetch, artifact=whole, chains=((Leg(host, "push"),),), places=found)
        from_here = self._held(again, again.chains[0]) or self._from_here(whole, told)
        told.note("Docker lacks layers that it seemed to have; all of them are sent")
        hop = self._hop(again, again.chains[0][0], again.chains[0], from_here)
        return {**bring([hop], from_here, lambda _, event: told(event))}

    def _progress(self, host: str, artifact: Artifact) -> TransferProgress:
        return TransferProgress(host, artifact.name, artifact.size, self._tell)

    def _held(self, fetch: Fetch, chain: Sequence[Leg]) -> FromHere | None:
        """The files in a bundle. They have the same numbers in the places of every host."""
        held, files = self._run.held, fetch.places[chain[0].host].files
        return None if held is None else lambda number: held(files[number]).file

    def _from_here(self, artifact: Artifact, progress: TransferProgress) -> Callable[[int], Path]:
        """The files on this machine, which are fetched when the first is asked for."""
        if artifact.is_here:
            return lambda number: Path(artifact.files[number].here or "")
        here = places(
            artifact, model_dir=str(cache_folder() / "models"), hf_home=hugging_face_home()
        )

        def tell(host: str, event: TransferEvent) -> None:
            del host
            progress(event)

        access = self._access if artifact.kind == "hub" else replace(self._access, token=None)
        return LocalStore(here, access, _origin(artifact), tell).path

    def _hop(self, fetch: Fetch, leg: Leg, chain: Sequence[Leg], from_here: FromHere) -> Hop:
        """Raises XgenError."""
        host = self._run.site.hosts[leg.host]
        found = fetch.places[leg.host]
        image = image_load(fetch.artifact, found.root, fetch.stores.get(leg.host, "classic"))
        request = TransferRequest(
            files=found.files,
            links=found.links,
            texts=found.texts,
            unpack=found.unpack,
            route="download" if leg.route == "host" else "receive",
            root=found.root if image is None else None,
            image=image,
            origin=_origin(fetch.artifact),
            access=self._access_of(leg),
            limit_rate=self._rate,
        )
        if leg.route == "push":
            request = replace(request, files=self._with_chunks(found, from_here))
        known = addresses(peer_address(host)) if len(chain) > 1 else ()
        return Hop(
            connection=self._run.connections[leg.host],
            request=request,
            address=known[0] if known else "",
            port=host.peer_port,
            comes_from=known,
        )

    def _access_of(self, leg: Leg) -> Access:
        """Nothing for a host that does not ask the source itself."""
        if leg.route != "host":
            return Access()
        return self._access if leg.token else replace(self._access, token=None)

    def _with_chunks(self, found: Places, from_here: FromHere) -> tuple[WantedFile, ...]:
        """Each chunk is then proved as it comes. Raises XgenError."""
        if (held := self._run.held) is not None:
            return tuple(replace(file, chunks=held(file).chunks) for file in found.files)
        files = []
        for number, file in enumerate(found.files):
            path = from_here(number)
            try:
                here = self._digests.of(path) if isinstance(path, Path) else None
            except OSError as error:
                raise XgenError(f"{path} cannot be read here: {error.strerror}") from None
            if here is None or (file.sha256 is not None and here.sha256 != file.sha256):
                raise XgenError(f"{path} has changed since the plan was made: run it again")
            files.append(replace(file, chunks=here.chunks))
        return tuple(files)


def _by_itself(hop: Hop, leg: Leg, artifact: Artifact) -> Hop:
    """Raises XgenError where it would have to get it from here."""
    if hop.request.route != "receive":
        return hop
    if leg.alone:
        return replace(hop, request=replace(hop.request, route="download"))
    raise XgenError(
        f"{leg.host} cannot take {artifact.name} from {leg.before} without this machine, which "
        "does not know the address of one of the two: state `xgen_peer_address`"
    )


def _nothing(number: int) -> Path:
    raise XgenError(f"file {number} is not to come from here")


def _was_thin(failure: XgenError | None) -> bool:
    return isinstance(failure, TransferFailed) and failure.thin


def peer_address(host: Host) -> str:
    """Where other hosts of its site reach it."""
    return host.peer_address or host.client_address or host.address or host.name


def addresses(name: str) -> tuple[str, ...]:
    """As this machine knows them; none where it is known to ssh alone."""
    known: dict[str, None] = {}
    with suppress(OSError):
        known = {str(i[4][0]): None for i in socket.getaddrinfo(name, None)}
    return tuple(known)


def _origin(artifact: Artifact) -> str:
    commit = f"@{artifact.commit}" if artifact.commit else ""
    return f"{artifact.origin} {artifact.name}{commit}"


def _source(leg: Leg, artifact: Artifact) -> str:
    if leg.before is not None:
        return leg.before
    return artifact.origin if leg.route == "host" else HERE
