"""Writes, reads or removes one object or one item, as an application would.

In: {"region", "bucket", "key", "text"?} or {"region", "table", "pk", "text"?}; with "delete": true it is removed, with "text" it is
written, else read. Reading waits up to "wait" seconds (default 0) for it to be there.
Out: {"text": what is there now, or null, "status": S3's ReplicationStatus, or null}
"""

import time

from aws import absent, args, client, emit

wanted = args()


def of_bucket():
    s3, where = client("s3", wanted["region"]), {"Bucket": wanted["bucket"], "Key": wanted["key"]}
    if wanted.get("delete"):
        s3.delete_object(**where)
    elif "text" in wanted:
        s3.put_object(Body=wanted["text"].encode(), **where)
    found = absent(s3.get_object, "NoSuchKey", "404", **where)
    return {"text": found and found["Body"].read().decode(), "status": found and found.get("ReplicationStatus")}


def of_table():
    ddb, key = client("dynamodb", wanted["region"]), {"pk": {"S": wanted["pk"]}}
    if wanted.get("delete"):
        ddb.delete_item(TableName=wanted["table"], Key=key)
    elif "text" in wanted:
        ddb.put_item(TableName=wanted["table"], Item={**key, "text": {"S": wanted["text"]}})
    found = ddb.get_item(TableName=wanted["table"], Key=key, ConsistentRead=True).get("Item")
    return {"text": found and found["text"]["S"], "status": None}


look = of_bucket if "bucket" in wanted else of_table
until = time.monotonic() + wanted.get("wait", 0)
seen = look()
while seen["text"] is None and not wanted.get("delete") and time.monotonic() < until:
    time.sleep(0.1)
    seen = look()
emit(seen)
