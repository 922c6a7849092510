"""The call logs that runs left in a control bucket. In: {"region", "bucket"}. Out: {run: [note]}."""

import json

from aws import Region, args, emit

wanted = args()
s3 = Region(wanted["region"]).s3
found = {}
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=wanted["bucket"], Prefix="runs/"):
    for item in page.get("Contents", []):
        if item["Key"].endswith("/calls.jsonl"):
            body = s3.get_object(Bucket=wanted["bucket"], Key=item["Key"])["Body"].read().decode()
            found[item["Key"].split("/")[1]] = [json.loads(line) for line in body.splitlines()]
emit(found)
