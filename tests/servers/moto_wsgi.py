"""Serves moto on a loopback port: `moto_wsgi.py [PORT]`, 0 (the default) for any free one. Prints `PORT=<port>` once it listens.

Moto's own server closes every connection after one answer; waitress keeps them open. Where moto 5.2.1 falls short of what AWS
documents and the tests need it, it is mended here, and only here:

* `UpdateTable` ignores `ReplicaUpdates`. Here a replica is a table of its own in the other region that shares the items. As on AWS
  the stream must be on first, a replica cannot be made twice, and tags, recovery and protection are each replica's own.
* `TagResource` on a table appends a key that exists instead of replacing its value.
* `GetBucketReplication` answers every rule with an empty filter and delete markers off, whatever was put. Here it answers what was put.
* The root of S3's XML answers is named after the operation (`GetBucketVersioningResponse`); AWS has names of its own, which strict
  clients demand.
* `DescribeVpcEndpoints` knows no filter by id.
* A health check of an alarm does not say which, and the id of a hosted zone does not begin with a Z.
* A batch of record changes cannot make what an earlier one made, though it takes away what stands in its place.
* CloudWatch knows no CBOR, which is what SDKs speak to it: see `cbor.py`.
* Exports of tables say no time and leave no manifest, and imports cannot be listed: see `exports.py`.
* A launch template shows the tags that it was made with, whatever `CreateTags` puts later.
* Tables have no Kinesis destinations and groups no notifications, and moto knows neither question.
* Every lifecycle hook notifies the same queue, and those of `CreateAutoScalingGroup` are dropped.
* The policy of a bucket counts without its conditions, so that one which denies calls without TLS denies all.
* A launch template's second and later versions keep their user data as plain text, on which launching from them fails.
"""

import copy
import json
import logging
import os
import sys

import xmltodict

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # the thousand stock images cost seconds at start

import exports
from cbor import translated
from moto.autoscaling.models import LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.core.serialize import S3Serializer
from moto.core.types import Base64EncodedString
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ec2.utils import parse_user_data
from moto.route53 import models as route53_models
from moto.route53.models import ChangeList, HealthCheck, Route53Backend, create_route53_zone_id
from moto.route53.responses import Route53
from moto.s3.exceptions import ReplicationConfigurationNotFoundError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response
from moto.server import DomainDispatcherApplication, create_backend_app
from waitress.server import create_server

# What moto gave us, kept because the mended versions call it.
moto_update_table = DynamoHandler.update_table
moto_describe = Table.describe
moto_tag_resource = DynamoDBBackend.tag_resource
moto_create_version = LaunchTemplate.create_version
moto_endpoint_filter = VPCEndPoint.get_filter_value
moto_change_records = Route53Backend.change_resource_record_sets
moto_create_check = Route53.create_health_check
moto_update_check = Route53.update_health_check
moto_check_config = HealthCheck.health_check_config.fget
moto_make_hook = LifecycleHook.__init__
moto_create_group = AutoScalingResponse.create_auto_scaling_group
moto_permission = FakeBucket.get_permission
moto_wrap = S3Serializer._serialized_result_to_response

# Roots of S3's answers, as its API reference shows them.
ROOTS = {
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjectsV2": "ListBucketResult",
}


def replicas_of(table):
    """Region to table, for `table` and all of its replicas that still exist."""
    family = getattr(table, "family", {table.region_name: table})
    exists = lambda region, member: dynamodb_backends[table.account_id][region].tables.get(table.name) is member
    return {region: member for region, member in family.items() if exists(region, member)}


def new_replica(table, region):
    """A copy of `table` in `region`: shared items and keys, settings of its own."""
    replica = copy.copy(table)
    replica.region_name = region
    replica.table_arn = table._generate_arn(table.name).replace(f":{table.region_name}:", f":{region}:")
    replica.tags = []
    replica.deletion_protection_enabled = False
    replica.stream_specification = dict(table.stream_specification)
    replica.continuous_backups = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    return replica


def change_replica(table, action, wanted):
    region = wanted["RegionName"]
    tables = dynamodb_backends[table.account_id][region].tables
    family = replicas_of(table)
    known = region in family and region != table.region_name
    if action == "Create":
        if known or region == table.region_name or table.name in tables:
            raise MockValidationException(f"A replica of table {table.name} already exists in region {region}")
        if (table.stream_specification or {}).get("StreamViewType") != "NEW_AND_OLD_IMAGES":
            raise MockValidationException(f"Table {table.name} needs a stream with new and old images before it gets a replica")
        tables[table.name] = family[region] = new_replica(table, region)
        if wanted.get("KMSMasterKeyId"):
            family[region].sse_specification = {"Enabled": True, "KMSMasterKeyId": wanted["KMSMasterKeyId"]}
    elif not known:
        raise MockValidationException(f"Table {table.name} has no replica in region {region}")
    elif action == "Delete":
        if family[region].deletion_protection_enabled:
            raise MockValidationException(f"The replica of {table.name} in region {region} is protected from deletion")
        family.pop(region)
        tables.pop(table.name)
    for member in family.values():
        member.family = family


def update_table(self):
    updates = self.body.get("ReplicaUpdates")
    if not updates:
        return moto_update_table(self)
    if len(updates) > 1:
        raise MockValidationException("One replica at a time")
    table = self.dynamodb_backend.get_table(self.body["TableName"])
    ((action, wanted),) = updates[0].items()
    change_replica(table, action, wanted)
    return DynamoResult(table.describe())


def describe(self, base_key="TableDescription"):
    answer = moto_describe(self, base_key)
    others = [region for region in replicas_of(self) if region != self.region_name]
    if others:
        answer[base_key]["GlobalTableVersion"] = "2019.11.21"
        answer[base_key]["Replicas"] = [{"RegionName": region, "ReplicaStatus": "ACTIVE"} for region in sorted(others)]
    return answer


def tag_resource(self, table_arn, tags):
    self.untag_resource(table_arn, [tag["Key"] for tag in tags])
    moto_tag_resource(self, table_arn, tags)


def get_bucket_replication(self):
    stored = self.backend.get_bucket_replication(self.bucket_name)
    if not stored:
        raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
    return 200, {"Content-Type": "application/xml"}, xmltodict.unparse({"ReplicationConfiguration": stored})


def wrap(self, resp, result, shape, serialized_result):
    answer = moto_wrap(self, resp, result, shape, serialized_result)
    name, body = self.operation_model.name, answer["body"]
    if name in ROOTS and isinstance(body, (str, bytes)):
        old, new = f"{name}Response", ROOTS[name]
        old, new = (old.encode(), new.encode()) if isinstance(body, bytes) else (old, new)
        answer["body"] = body.replace(old, new)
    return answer


def kinesis_destinations(self):
    table = self.dynamodb_backend.get_table(self.body["TableName"])
    return DynamoResult({"TableName": table.name, "KinesisDataStreamDestinations": []})


def notifications(self):
    return ActionResult({"NotificationConfigurations": []})


def endpoint_filter(self, filter_name, method_name=None):
    return self.id if filter_name == "vpc-endpoint-id" else moto_endpoint_filter(self, filter_name, method_name)


def create_version(self, data, description):
    user_data = data.get("UserData")
    if user_data is not None and not isinstance(user_data, Base64EncodedString):
        data = {**data, "UserData": parse_user_data(user_data)}
    return moto_create_version(self, data, description)


# What a check of an alarm has in place of an address.
OF_ALARM = ("AlarmIdentifier", "InsufficientDataHealthStatus")


def create_check(self):
    answer = moto_create_check(self)
    config = self._get_param("HealthCheckConfig")
    answer.result["HealthCheck"].of_alarm = {name: config[name] for name in OF_ALARM if name in config}
    return answer


def update_check(self):
    answer = moto_update_check(self)
    changed = {name: self._get_param(name) for name in OF_ALARM}
    answer.result["HealthCheck"].of_alarm.update({name: value for name, value in changed.items() if value})
    return answer


def check_config(self):
    of_alarm = getattr(self, "of_alarm", None)
    if not of_alarm:
        return moto_check_config(self)
    return {"Type": self.type_, "Inverted": self.inverted, "Disabled": self.disabled, **of_alarm}


def change_records(self, zoneid, change_list):
    zone, freed = self.get_hosted_zone(zoneid), set()
    for change in change_list:
        record = change["ResourceRecordSet"]
        record["Name"] = record["Name"].strip(".")
        name = (record["Name"], record["Type"])
        if change["Action"] == "DELETE":
            freed.add(name)
        elif name in freed:
            zone.rr_changes = ChangeList(known for known in zone.rr_changes if known != change)
    return moto_change_records(self, zoneid, change_list)


def zone_id(*args, **kwargs):
    return "Z" + create_route53_zone_id(*args, **kwargs)[1:]


def make_hook(self, *args, **kwargs):
    moto_make_hook(self, *args, **kwargs)
    self.role_arn = self.notification_target_arn = None


def create_group(self):
    answer = moto_create_group(self)
    for hook in self._get_params().get("LifecycleHookSpecificationList", []):
        self.autoscaling_backend.create_lifecycle_hook(
            name=hook["LifecycleHookName"],
            as_name=self._get_param("AutoScalingGroupName"),
            transition=hook["LifecycleTransition"],
            timeout=int(hook["HeartbeatTimeout"]) if "HeartbeatTimeout" in hook else None,
            result=hook.get("DefaultResult"),
        )
    return answer


def permission(self, action, resource):
    """The tests' plain requests stand for requests with TLS, as AWS gets them."""
    if self.policy is None:
        return moto_permission(self, action, resource)
    policy, kept = self.policy, json.loads(self.policy)
    of_tls = {"Bool": {"aws:SecureTransport": "false"}}
    kept["Statement"] = [it for it in kept["Statement"] if it.get("Condition") != of_tls]
    self.policy = json.dumps(kept).encode()
    try:
        return moto_permission(self, action, resource)
    finally:
        self.policy = policy


def main():
    exports.mend()
    LifecycleHook.__init__ = make_hook
    AutoScalingResponse.create_auto_scaling_group = create_group
    FakeBucket.get_permission = permission
    Route53.create_health_check = create_check
    Route53.update_health_check = update_check
    Route53Backend.change_resource_record_sets = change_records
    HealthCheck.health_check_config = property(check_config)
    route53_models.create_route53_zone_id = zone_id
    DynamoHandler.update_table = update_table
    DynamoHandler.describe_kinesis_streaming_destination = kinesis_destinations
    AutoScalingResponse.describe_notification_configurations = notifications
    Table.describe = describe
    DynamoDBBackend.tag_resource = tag_resource
    S3Response.get_bucket_replication = get_bucket_replication
    LaunchTemplate.create_version = create_version
    LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, _: None)
    VPCEndPoint.get_filter_value = endpoint_filter
    S3Serializer._serialized_result_to_response = wrap
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # One thread: moto's state is not guarded against several.
    server = create_server(
        translated(DomainDispatcherApplication(create_backend_app)),
        host="127.0.0.1",
        port=int(sys.argv[1]) if len(sys.argv) > 1 else 0,
        threads=1,
        connection_limit=2000,
        channel_timeout=600,
    )
    print(f"PORT={server.effective_port}", flush=True)
    server.run()


if __name__ == "__main__":
    main()
