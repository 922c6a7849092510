"""Names of botocore's service models.

Input: [{"service": "ec2", "members": "Image"}, {"service": "sqs", "values": "QueueAttributeName"},
{"service": "s3", "operations": ["GetBucket"]}]: members of a structure, values of an enumeration, or operations whose names begin
with one of the words. Output: a list of names for each; null where the model has no such shape.
"""

import json
import sys

from botocore.loaders import Loader

loader = Loader()


def names(wanted):
    model = loader.load_service_model(wanted["service"], "service-2")
    if "operations" in wanted:
        return [name for name in model["operations"] if name.startswith(tuple(wanted["operations"]))]
    shape = model["shapes"].get(wanted.get("members") or wanted.get("values"), {})
    return list(shape["members"]) if "members" in wanted and "members" in shape else shape.get("enum")


print(json.dumps([names(wanted) for wanted in json.load(sys.stdin)]))
