"""Is what an S3 server is asked signed as it expects?"""

from datetime import UTC, datetime

from cloudgate.manager.storage_services.s3 import Keys, authorization


def test_the_signature_is_that_of_the_published_example() -> None:
    # AWS, Signature Calculations for the Authorization Header, "Get Bucket (List Objects)".
    keys = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    headers = authorization(
        keys,
        "examplebucket.s3.amazonaws.com",
        "/",
        "max-keys=2&prefix=J",
        datetime(2013, 5, 24, tzinfo=UTC),
    )
    assert headers["Authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )
    assert keys.secret not in repr(keys)
