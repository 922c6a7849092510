"""Everything in one region, read with boto3. In: {"region", "sections"?: [name]}. Out: {section: {name or id: what it is}},
a value that the server does not have is null. Sections:

  buckets  tables  vpcs  subnets  route_tables  endpoints  security_groups  images  launch_templates  groups  instances
  alarms  roles  profiles  zones  health_checks  (the last four are global, whatever the region)
"""

import base64
import json

from aws import Region, absent, args, emit, pages, tag_map

wanted = args()
region = wanted["region"]
on = Region(region)


def by(items, key):
    return {item[key]: item for item in items}


def drop(item, *names):
    return {key: value for key, value in item.items() if key not in names and value not in (None, [], {})}


def tagged(item, *names):
    """The item with its tags as a map."""
    return {**drop(item, "Tags", *names), "Tags": tag_map(item.get("Tags"))}


def buckets():
    return {
        name: bucket(name)
        for name in sorted(item["Name"] for item in on.s3.list_buckets()["Buckets"])
        if (on.s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1") == region
    }


def bucket(name):
    def setting(call, key, *codes):
        return (absent(call, *codes, Bucket=name) or {}).get(key)

    return {
        "location": region,
        "versioning": on.s3.get_bucket_versioning(Bucket=name).get("Status"),
        "encryption": setting(
            on.s3.get_bucket_encryption, "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"
        ),
        "public_access": setting(
            on.s3.get_public_access_block, "PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"
        ),
        "replication": setting(
            on.s3.get_bucket_replication, "ReplicationConfiguration", "ReplicationConfigurationNotFoundError"
        ),
        "lifecycle": setting(on.s3.get_bucket_lifecycle_configuration, "Rules", "NoSuchLifecycleConfiguration"),
        "policy": setting(on.s3.get_bucket_policy, "Policy", "NoSuchBucketPolicy"),
        "tags": tag_map(setting(on.s3.get_bucket_tagging, "TagSet", "NoSuchTagSet")),
        "objects": sorted(item["Key"] for item in pages(on.s3, "list_objects_v2", "Contents", Bucket=name)),
    }


def tables():
    return {name: table(name) for name in pages(on.dynamodb, "list_tables", "TableNames")}


def table(name):
    found = on.dynamodb.describe_table(TableName=name)["Table"]
    recovery = on.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return {
        "status": found["TableStatus"],
        "keys": found["KeySchema"],
        "indexes": {
            item["IndexName"]: [item["KeySchema"], item["Projection"]["ProjectionType"]]
            for item in found.get("GlobalSecondaryIndexes", [])
        },
        "billing": (found.get("BillingModeSummary") or {}).get("BillingMode"),
        "replicas": {item["RegionName"]: item["ReplicaStatus"] for item in found.get("Replicas", [])},
        "stream": (found.get("StreamSpecification") or {}).get("StreamViewType"),
        "recovery": recovery.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus"),
        "protected": bool(found.get("DeletionProtectionEnabled")),
        "encryption": drop(found.get("SSEDescription") or {}),
        "tags": tag_map(on.dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"]).get("Tags")),
        "items": sorted(on.dynamodb.scan(TableName=name)["Items"], key=json.dumps),
    }


def vpcs():
    return {item["VpcId"]: vpc(item) for item in on.ec2.describe_vpcs()["Vpcs"]}


def vpc(item):
    def attribute(name):
        answer = on.ec2.describe_vpc_attribute(VpcId=item["VpcId"], Attribute=name)
        return answer[name[0].upper() + name[1:]]["Value"]

    return {**tagged(item), "dns_support": attribute("enableDnsSupport"), "dns_names": attribute("enableDnsHostnames")}


def listed(operation, key, identity):
    """A section that one EC2 call answers whole."""
    return lambda: by([tagged(item) for item in getattr(on.ec2, operation)()[key]], identity)


def images():
    return by([tagged(item, "CreationDate") for item in on.ec2.describe_images(Owners=["self"])["Images"]], "ImageId")


def launch_templates():
    found = on.ec2.describe_launch_templates(MaxResults=200)["LaunchTemplates"]
    return {item["LaunchTemplateName"]: {**tagged(item, "CreateTime"), "versions": versions(item)} for item in found}


def versions(item):
    answer = on.ec2.describe_launch_template_versions(LaunchTemplateId=item["LaunchTemplateId"])
    return {str(version["VersionNumber"]): template_data(version) for version in answer["LaunchTemplateVersions"]}


def template_data(version):
    data = drop(version["LaunchTemplateData"])
    if "UserData" in data:
        data["UserData"] = base64.b64decode(data["UserData"]).decode()
    return {"default": version["DefaultVersion"], "description": version.get("VersionDescription"), "data": data}


def groups():
    return {item["AutoScalingGroupName"]: group(item) for item in pages(on.autoscaling, "describe_auto_scaling_groups", "AutoScalingGroups")}


def group(item):
    name = item["AutoScalingGroupName"]
    policies = absent(on.autoscaling.describe_policies, "ValidationError", "InvalidAction", AutoScalingGroupName=name)
    hooks = absent(on.autoscaling.describe_lifecycle_hooks, "ValidationError", "InvalidAction", AutoScalingGroupName=name)
    return {
        "hooks": {hook["LifecycleHookName"]: hook["HeartbeatTimeout"] for hook in (hooks or {}).get("LifecycleHooks", [])},
        "sizes": {"min": item["MinSize"], "max": item["MaxSize"], "desired": item["DesiredCapacity"]},
        "template": item.get("LaunchTemplate"),
        "mixed": item.get("MixedInstancesPolicy"),
        "reserved": item.get("CapacityReservationSpecification"),
        "subnets": sorted(filter(None, item.get("VPCZoneIdentifier", "").split(","))),
        "rebalance": item.get("CapacityRebalance", False),
        "health": {"type": item.get("HealthCheckType"), "grace": item.get("HealthCheckGracePeriod")},
        "instances": sorted(one["InstanceId"] for one in item.get("Instances", [])),
        "policies": policies and policies.get("ScalingPolicies"),
        "propagated": sorted(tag["Key"] for tag in item.get("Tags", []) if tag.get("PropagateAtLaunch")),
        "tags": tag_map(item.get("Tags")),
    }


def instances():
    found = [one for batch in pages(on.ec2, "describe_instances", "Reservations") for one in batch["Instances"]]
    return {one["InstanceId"]: instance(one) for one in found if one["State"]["Name"] != "terminated"}


def instance(one):
    return {
        "type": one["InstanceType"],
        "image": one["ImageId"],
        "state": one["State"]["Name"],
        "lifecycle": one.get("InstanceLifecycle", "on-demand"),
        "subnet": one.get("SubnetId"),
        "tokens": (one.get("MetadataOptions") or {}).get("HttpTokens"),
        "tags": tag_map(one.get("Tags")),
    }


def roles():
    return {item["RoleName"]: role(item) for item in pages(on.iam, "list_roles", "Roles")}


def role(item):
    name = item["RoleName"]
    inline = on.iam.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        "path": item["Path"],
        "trust": item["AssumeRolePolicyDocument"],
        "inline": {one: on.iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in inline},
        "attached": sorted(one["PolicyArn"] for one in on.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]),
        "tags": tag_map(on.iam.list_role_tags(RoleName=name)["Tags"]),
    }


def profiles():
    found = pages(on.iam, "list_instance_profiles", "InstanceProfiles")
    return {
        item["InstanceProfileName"]: {
            "roles": [one["RoleName"] for one in item["Roles"]],
            "tags": tag_map(on.iam.get_instance_profile(InstanceProfileName=item["InstanceProfileName"])["InstanceProfile"].get("Tags")),
        }
        for item in found
    }


def alarms():
    return {item["AlarmName"]: alarm(item) for item in pages(on.cloudwatch, "describe_alarms", "MetricAlarms")}


def alarm(item):
    rule = ("Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold")
    rule += ("ComparisonOperator", "TreatMissingData", "Dimensions", "StateValue", "ActionsEnabled")
    tags = tag_map(on.cloudwatch.list_tags_for_resource(ResourceARN=item["AlarmArn"])["Tags"])
    return {**{name: item.get(name) for name in rule}, "tags": tags}


def zones():
    """Records by zone, each as the server tells it."""
    return {
        item["Id"].rsplit("/", 1)[-1]: pages(on.route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=item["Id"])
        for item in pages(on.route53, "list_hosted_zones", "HostedZones")
    }


def health_checks():
    checks = pages(on.route53, "list_health_checks", "HealthChecks")
    return {item["Id"]: {**item["HealthCheckConfig"], "tags": check_tags(item["Id"])} for item in checks}


def check_tags(id):
    tagged = on.route53.list_tags_for_resources(ResourceType="healthcheck", ResourceIds=[id])["ResourceTagSets"]
    return tag_map(tagged[0]["Tags"] if tagged else [])


SECTIONS = {
    "buckets": buckets,
    "tables": tables,
    "vpcs": vpcs,
    "subnets": listed("describe_subnets", "Subnets", "SubnetId"),
    "route_tables": listed("describe_route_tables", "RouteTables", "RouteTableId"),
    "endpoints": listed("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    "security_groups": listed("describe_security_groups", "SecurityGroups", "GroupId"),
    "images": images,
    "launch_templates": launch_templates,
    "groups": groups,
    "instances": instances,
    "roles": roles,
    "profiles": profiles,
    "alarms": alarms,
    "zones": zones,
    "health_checks": health_checks,
}

emit({name: SECTIONS[name]() for name in wanted.get("sections", SECTIONS)})
