"""Why an SSH connection could not be made, and what to do. Pure."""

import socket

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.algorithms import NothingShared
from xgen_deploy.transport.target import Target


class HandshakeFailed(Exception):
    """The other end accepted the connection and closed it before SSH began."""


def explain(host: str, target: Target, error: Exception) -> UnreachableError:
    """The error for a connection to `target` that failed on the way to `host`."""
    return UnreachableError(host, *_sentence(target, error))


def _sentence(target: Target, error: Exception) -> tuple[str, str]:
    place = f"{target.address} port {target.port}"
    match error:
        case socket.gaierror():
            return (
                f"its address {target.address} does not resolve",
                "Correct `ansible_host` in the inventory, or `HostName` in ~/.ssh/config.",
            )
        case ConnectionRefusedError():
            return (
                f"{place} refused the connection",
                "Check that sshd listens there.",
            )
        case TimeoutError():
            return (
                f"{place} did not answer within {target.connect_timeout:.0f} s",
                "Check that the host is up and that no firewall blocks the port.",
            )
        case paramiko.ChannelException():
            return (
                f"the jump host could not reach {place} ({error.text or error})",
                "Check that the host is up and that the jump host allows forwarding "
                "(`AllowTcpForwarding`).",
            )
        case NothingShared():
            return f"{place} {error.reason}", error.hint
        case IncompatiblePeer():
            return f"{place} and this machine share no algorithm ({error})", "Update its sshd."
        case HandshakeFailed():
            return (
                f"{place} closed the connection before SSH began ({error})",
                "Check for a firewall, a service other than sshd, and too many connections at once "
                "(`MaxStartups`).",
            )
        case paramiko.ProxyCommandFailure():
            return f"`ProxyCommand` failed: {error}", "Run that command by hand."
        case OSError():
            return f"{place} cannot be reached ({error.strerror or error})", "Check the network."
    if "Timeout opening channel" in str(error):
        return (
            f"the jump host got no answer from {place} within {target.connect_timeout:.0f} s",
            "Check that the host is up and that the jump host can reach it.",
        )
    if "No existing session" in str(error):
        return (
            f"{place} did not finish the SSH handshake in time",
            "Check whether the host is overloaded.",
        )
    return f"SSH to {place} failed ({error or type(error).__name__})", "Run ssh by hand."
