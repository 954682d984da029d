"""What users and scripts log in with in tests."""

from xgen_deploy.serve.security.passwords import hash_password, new_token

PASSWORD = "correct horse"  # noqa: S105
HASHED = hash_password(PASSWORD)
TOKEN, TOKEN_HASH = new_token()
