"""Options of all modules: how do they reach the manager?"""


class ModuleDocFragment:
    """What every module's documentation has, too."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Addresses of the managers of the installation; another one is asked where one is not reached.
      - Without it, E(CLOUDGATE_URL) is asked, or the manager on this machine.
    type: list
    elements: str
  user:
    description: Who logs on. Without it, E(CLOUDGATE_USER), or V(admin).
    type: str
  password:
    description: Password of the user. Without it, E(CLOUDGATE_PASSWORD).
    type: str
  token:
    description: API token in place of user and password. Without it, E(CLOUDGATE_TOKEN).
    type: str
  ca:
    description:
      - File with the manager's certificate authority, its C(tls/ca.pem), on the machine that runs the module.
      - Without it, E(CLOUDGATE_CA); without both, the authorities that the system trusts.
    type: path
  fingerprint:
    description: SHA-256 of that authority in hexadecimal digits, in place of the file.
    type: str
  timeout:
    description: How many seconds a change may take. One that takes longer goes on, and the module fails.
    type: int
    default: 600
requirements:
  - The Python package C(cloudgate), for the interpreter that runs the module.
attributes:
  check_mode:
    description: Can say what would change, and change nothing.
    support: full
  diff_mode:
    description: Can say what is otherwise than before.
    support: full
"""
