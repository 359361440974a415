"""Unreadable: what is raised at a certificate, a request or a key that is none, or a strange one?

The library (cryptography) looks at most of it once it is asked for, and not all that it raises is a
ValueError: a version that there is none of, or an extension that is there twice, is an Exception.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
