"""Sentences for what goes wrong before a command can be sent. Pure."""

import socket

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.target import Target


class Handshake(Exception):
    """The connection was made, and broken off before SSH began."""


def explain(host: str, target: Target, error: Exception) -> UnreachableError:
    """The error for a connection to `target` that failed on the way to `host`."""
    return UnreachableError(host, *_sentence(target, error))


def _sentence(target: Target, error: Exception) -> tuple[str, str]:
    place = f"{target.address} port {target.port}"
    match error:
        case socket.gaierror():
            return (
                f"its address {target.address} does not resolve",
                "Correct ansible_host in the inventory, or HostName in ~/.ssh/config.",
            )
        case ConnectionRefusedError():
            return f"{place} refused the connection", "Is sshd running there, and on that port?"
        case TimeoutError():
            return (
                f"{place} did not answer within {target.connect_timeout:.0f} s",
                "Is the host up, and does a firewall let you through?",
            )
        case paramiko.ChannelException():
            return (
                f"the jump host could not reach {place} ({error.text or error})",
                "Is the host up, and does the jump host allow forwarding (AllowTcpForwarding)?",
            )
        case IncompatiblePeer():
            return f"{place} and this side share no algorithm ({error})", "Update its sshd."
        case Handshake():
            return (
                f"{place} broke the connection off before SSH began ({error})",
                "Too many connections at once (MaxStartups), a firewall, or no SSH server there.",
            )
        case paramiko.ProxyCommandFailure():
            return f"ProxyCommand failed: {error}", "Try that command by hand."
        case OSError():
            return f"there is no way to {place} ({error.strerror or error})", "Check the network."
    if "Timeout opening channel" in str(error):
        return (
            f"the jump host got no answer from {place} in {target.connect_timeout:.0f} s",
            "Is the host up, and may the jump host reach it?",
        )
    if "No existing session" in str(error):
        return f"{place} did not finish the SSH handshake in time", "Is the host overloaded?"
    return f"SSH to {place} failed ({error or type(error).__name__})", "Try ssh by hand."
