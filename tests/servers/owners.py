"""Whose buckets are, which moto does not ask: it lets a request through that expects another account to own a bucket.

As S3 does it ("bucket owner condition"): a request that names an owner is denied where the bucket has another; one that names none goes
through, as where the bucket's policy lets everybody in. Names of buckets are taken for all accounts.
"""

import collections

ACCOUNT = "123456789012"  # moto's, whoever calls
EXPECTED = b"x-amz-expected-bucket-owner"


class Owners:
    def __init__(self):
        self.accounts, self.bare = {}, collections.Counter()

    def give(self, bucket, account):
        self.accounts[bucket] = account

    def refusal(self, region, operation, head, header):
        """Code and status with which a request to S3 is refused, or nothing; requests of drstack that name no owner are counted."""
        bucket = head.split(b" ", 2)[1].split(b"?")[0].strip(b"/").split(b"/")[0].decode()
        owner = self.accounts.get(bucket, ACCOUNT)
        if not bucket:
            return None  # lists the caller's own
        if operation == "PUT Bucket":
            return ("BucketAlreadyExists", 409) if owner != ACCOUNT else None
        expected = header(head, EXPECTED).decode()
        if not expected and b"aws-sdk-rust" in header(head, b"user-agent"):
            self.bare[f"{region}/s3/{operation}"] += 1
        return ("AccessDenied", 403) if expected and expected != owner else None
