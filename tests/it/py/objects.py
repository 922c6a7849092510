"""Writes, takes away, copies and lists objects.

In: {"region", "bucket", "put"?: {key: text}, "delete"?: [key], "copy_from"?: bucket}
Out: {key: size} of the bucket, after all that
"""

from aws import args, client, emit, pages

wanted = args()
s3, bucket = client("s3", wanted["region"]), wanted["bucket"]
for key, text in wanted.get("put", {}).items():
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
for key in wanted.get("delete", []):
    s3.delete_object(Bucket=bucket, Key=key)
source = wanted.get("copy_from")
if source:
    for found in pages(s3, "list_objects_v2", "Contents", Bucket=source):
        body = s3.get_object(Bucket=source, Key=found["Key"])["Body"].read()
        s3.put_object(Bucket=bucket, Key=found["Key"], Body=body)
emit({it["Key"]: it["Size"] for it in pages(s3, "list_objects_v2", "Contents", Bucket=bucket)})
