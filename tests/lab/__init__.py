"""Real hosts on one Linux machine: systemd, sshd, Docker, an engine and a model, no cloud."""
