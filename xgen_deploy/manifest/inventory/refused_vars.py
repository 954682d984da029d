"""Ansible's variables that change how a host is reached, or as which user, and are not supported:
ignoring them could reach the wrong host or run as the wrong user."""

from xgen_deploy.manifest.node import Node, ScalarNode

_KEYS_ONLY = "log in with a key or an agent"
_SUDO = "use --ask-become-pass where sudo asks for a password"
_CONFIG = "put the equivalent into ~/.ssh/config"
_BECOME = "xgen-deploy always uses plain sudo to root"
_REASONS = {
    "ansible_password": _KEYS_ONLY,
    "ansible_ssh_pass": _KEYS_ONLY,
    "ansible_ssh_password": _KEYS_ONLY,
    "ansible_ssh_password_mechanism": _KEYS_ONLY,
    "ansible_sshpass_prompt": _KEYS_ONLY,
    "ansible_ssh_sshpass_prompt": _KEYS_ONLY,
    "ansible_private_key": "name a key file, or use an agent",
    "ansible_ssh_private_key": "name a key file, or use an agent",
    "ansible_private_key_passphrase": "use an agent",
    "ansible_ssh_private_key_passphrase": "use an agent",
    "ansible_ssh_pkcs11_provider": _CONFIG,
    "ansible_become_pass": _SUDO,
    "ansible_become_password": _SUDO,
    "ansible_sudo_pass": _SUDO,
    "ansible_sudo_password": _SUDO,
    "ansible_become_exe": _BECOME,
    "ansible_become_flags": _BECOME,
    "ansible_sudo_exe": _BECOME,
    "ansible_sudo_flags": _BECOME,
    "ansible_sudo_user": _BECOME,
    "ansible_su_user": _BECOME,
    "ansible_ssh_executable": "xgen-deploy has its own SSH client",
    "ansible_paramiko_proxy_command": _CONFIG,
}
_HARMLESS = {
    "ansible_become_exe": ("sudo", "/usr/bin/sudo"),
    "ansible_sudo_exe": ("sudo", "/usr/bin/sudo"),
    "ansible_become_flags": ("-H -S -n", "-H -S", "-H -n", "-H", "-n", "-S"),
    "ansible_sudo_flags": ("-H -S -n", "-H -S", "-H -n", "-H", "-n", "-S"),
    "ansible_sudo_user": ("root",),
    "ansible_su_user": ("root",),
    "ansible_ssh_executable": ("ssh", "/usr/bin/ssh"),
}
_KEY_CHECKING = ("ansible_host_key_checking", "ansible_ssh_host_key_checking")
_KEY_CHECKING_PARAMIKO = "ansible_paramiko_host_key_checking"


def refusal(key: str, node: Node) -> str:
    """Why a variable is not supported and what to do; "" where it may be ignored."""
    value = node.value if isinstance(node, ScalarNode) else None
    if value == "" or value in _HARMLESS.get(key, ()):
        return ""
    if key in (*_KEY_CHECKING, _KEY_CHECKING_PARAMIKO):
        checked = value is True or str(value).lower() in ("yes", "on", "true", "1")
        return "" if checked else "host keys are always checked against known_hosts"
    return _REASONS.get(key, "")
