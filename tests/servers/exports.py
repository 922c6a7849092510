"""Exports and imports of tables, as AWS documents them, where moto 5.2.1 falls short. `mend()` puts them into moto.

* An export's ARN ends in an id that begins with the time, `01234567890123-a1b2c3d4`; its description says of which moment it is; its
  folder in the bucket is named by that id and holds `manifest-summary.json` beside the data.
* Jobs run in threads of their own on state that nothing guards. Here they are done when the call is answered.
* `ListImports` is missing, and imports do not say when they began.
"""

import json
import time
from datetime import datetime, timezone
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.core.utils import gzip_compress
from moto.dynamodb.models.table_export import TableExport
from moto.dynamodb.models.table_import import TableImport
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.dynamodb.responses import DynamoHandler

moto_export_init = TableExport.__init__
moto_export_response = TableExport.response
moto_import_init = TableImport.__init__
moto_import_response = TableImport.response


def export_init(self, *args, **kwargs):
    moto_export_init(self, *args, **kwargs)
    self.moment = time.time()
    self.export_id = f"{int(self.moment * 1000):014d}-{uuid4().hex[:8]}"
    self.arn = f"{self.table.table_arn}/export/{self.export_id}"


def iso(moment):
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def export(self, s3_backend):
    lines = [dynamo_json_dump(item.to_json(root_attr_name="Item")) + "\n" for item in self.table.all_items()]
    self.item_count, self.processed_bytes = len(lines), sum(map(len, lines))
    folder = f"{self.s3_prefix}/AWSDynamoDB/{self.export_id}"
    summary = {
        "version": "2020-06-30",
        "exportArn": self.arn,
        "startTime": iso(self.moment),
        "endTime": iso(time.time()),
        "tableArn": self.table.table_arn,
        "exportTime": iso(self.moment),
        "s3Bucket": self.s3_bucket,
        "s3Prefix": self.s3_prefix,
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": self.processed_bytes,
        "itemCount": self.item_count,
        "outputFormat": self.export_format,
        "exportType": self.export_type,
    }
    files = {
        f"{folder}/_started": b"",
        f"{folder}/data/{uuid4().hex}.json.gz": gzip_compress("".join(lines).encode()),
        f"{folder}/manifest-summary.json": json.dumps(summary).encode(),
    }
    for key, value in files.items():
        s3_backend.put_object(bucket_name=self.s3_bucket, key_name=key, value=value)
    self.status = "COMPLETED"


def export_response(self):
    return {**moto_export_response(self), "ExportTime": self.moment, "StartTime": self.moment}


def import_init(self, *args, **kwargs):
    moto_import_init(self, *args, **kwargs)
    self.moment = time.time()


def import_response(self):
    return {**moto_import_response(self), "S3BucketSource": self.s3_source, "StartTime": self.moment}


def list_imports(self):
    wanted = self.body.get("TableArn")
    found = [job for job in self.dynamodb_backend.table_imports.values() if wanted in (None, job.table_arn)]
    names = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "StartTime")
    return ActionResult({"ImportSummaryList": [{name: job.response()[name] for name in names} for job in found]})


def mend():
    TableExport.__init__ = export_init
    TableExport._backup_to_s3_file = export
    TableExport.response = export_response
    TableImport.__init__ = import_init
    TableImport.response = import_response
    DynamoHandler.list_imports = list_imports
    for job in (TableExport, TableImport):
        job.start = job.run
