"""What every script here shares: arguments as JSON on stdin, one JSON value on stdout, boto3 against `AWS_ENDPOINT_URL`.

These scripts are the other tool: they make what drstack finds and read what drstack made, and know nothing of drstack.
"""

import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# One try: an unimplemented call answers 500 on moto, which boto3 would otherwise repeat with growing waits.
CONFIG = Config(
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    connect_timeout=5,
    read_timeout=60,
)


def args():
    return json.load(sys.stdin)


def client(service, region):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=region, endpoint_url=endpoint, config=CONFIG, **keys)


class Region:
    """Clients of one region, each made when it is first used: `Region("us-east-1").s3`. Making them all takes half a second."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, service):
        made = client(service, self.name)
        setattr(self, service, made)
        return made


def emit(value):
    json.dump(value, sys.stdout, sort_keys=True, default=plain, indent=1)
    print()


def plain(value):
    """Bytes and dates as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def absent(call, *codes, **kwargs):
    """The call's answer, or None where the server says with one of `codes` that there is nothing."""
    try:
        return call(**kwargs)
    except ClientError as error:
        if error.response["Error"]["Code"] in codes:
            return None
        raise


def pages(api, operation, key, **kwargs):
    """All items under `key` of a call that answers in pages."""
    return [item for page in api.get_paginator(operation).paginate(**kwargs) for item in page.get(key, [])]


def tag_list(tags):
    """{"name": "value"} as AWS takes it."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tag_map(tags):
    return {tag["Key"]: tag["Value"] for tag in tags or []}
