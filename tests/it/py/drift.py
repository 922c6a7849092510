"""Changes one thing by hand, as somebody at the console would. In: {"region", "change", "name", ...}. Out: {}.

  change               more fields        does
  bucket-versioning    -                  suspends versioning
  bucket-open          -                  removes the public access block
  bucket-encryption    -                  removes the encryption setting
  bucket-rule          rule               removes one replication rule by id, the last one with the whole configuration
  bucket-lifecycle     -                  removes the lifecycle rules
  bucket-tag           key, value         adds or changes a tag
  bucket-delete        -                  removes the bucket and everything in it
  table-recovery       -                  switches point-in-time recovery off
  table-protection     -                  switches deletion protection off
  table-tag            key, value         adds or changes a tag
  table-replica        replica            removes a replica
  group-sizes          min, max, desired  sets the sizes
  group-desired        desired            sets the desired capacity alone, as scaling does
  group-tag            key, value         adds or changes a tag
  group-delete         -                  removes the group and its instances
  template-default     version            makes another version the default
  template-version     type               adds a version with another instance type and makes it the default
  group-release        image              a mixed group starts this image from now on, by a new version of its template
  template-delete      -                  removes the launch template
  ec2-tag              key, value         name is an id: adds or changes a tag of a VPC, subnet, image, ...
  ec2-untag            key                name is an id
  launch               tags               name is a launch template: launches an instance of it that carries these tags
  terminate            -                  name is an instance's id: ends it
  endpoint-routes      route_table        name is an endpoint's id: takes a route table from it
  group-rule           port               name is a security group's id: opens a port to the world
  check-path           path               name is a health check's id: asks for another path
  alarm-period         -                  looks at five minutes at a time
  lock-lease           -                  name is a control bucket: the lease of its lock, if it has one, ran out long ago
  role-policy          policy             removes an inline policy of the role
"""

import json

from aws import Region, args, emit, tag_list, tag_map

wanted = args()
region, name = wanted["region"], wanted["name"]
on = Region(region)


def tag():
    return tag_list({wanted["key"]: wanted["value"]})


def bucket_tag():
    try:
        tags = tag_map(on.s3.get_bucket_tagging(Bucket=name)["TagSet"])
    except on.s3.exceptions.ClientError:
        tags = {}
    on.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list({**tags, wanted["key"]: wanted["value"]})})


def bucket_rule():
    config = on.s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
    rules = [rule for rule in config["Rules"] if rule["ID"] != wanted["rule"]]
    if rules:
        on.s3.put_bucket_replication(Bucket=name, ReplicationConfiguration={**config, "Rules": rules})
    else:
        on.s3.delete_bucket_replication(Bucket=name)


def bucket_delete():
    listed = on.s3.list_object_versions(Bucket=name)
    for item in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        on.s3.delete_object(Bucket=name, Key=item["Key"], VersionId=item["VersionId"])
    on.s3.delete_bucket(Bucket=name)


def lock_lease():
    try:
        lock = json.loads(on.s3.get_object(Bucket=name, Key="lock.json")["Body"].read())
    except (on.s3.exceptions.NoSuchBucket, on.s3.exceptions.NoSuchKey):
        return
    on.s3.put_object(Bucket=name, Key="lock.json", Body=json.dumps({**lock, "until": "2020-01-01T00:00:00Z"}).encode())


def table_arn():
    return on.dynamodb.describe_table(TableName=name)["Table"]["TableArn"]


def group_tag():
    (pair,) = tag()
    where = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    on.autoscaling.create_or_update_tags(Tags=[{**where, **pair}])


def group_sizes():
    sizes = {"MinSize": wanted["min"], "MaxSize": wanted["max"], "DesiredCapacity": wanted["desired"]}
    on.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **sizes)


def template_default(version):
    on.ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(version))


def template_version():
    last = on.ec2.describe_launch_template_versions(LaunchTemplateName=name, Versions=["$Latest"])["LaunchTemplateVersions"][0]
    data = {**last["LaunchTemplateData"], "InstanceType": wanted["type"]}
    made = on.ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)
    template_default(made["LaunchTemplateVersion"]["VersionNumber"])


def group_release():
    policy = on.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["MixedInstancesPolicy"]
    template = policy["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateId"]
    last = on.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])["LaunchTemplateVersions"][0]
    data = {**last["LaunchTemplateData"], "ImageId": wanted["image"]}
    made = on.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)["LaunchTemplateVersion"]
    version = {"LaunchTemplateId": template, "Version": str(made["VersionNumber"])}
    policy["LaunchTemplate"]["LaunchTemplateSpecification"] = version
    on.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MixedInstancesPolicy=policy)


def launch():
    tags = [{"ResourceType": "instance", "Tags": tag_list(wanted["tags"])}]
    on.ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": name}, TagSpecifications=tags)


def group_rule():
    open_to_all = {"IpProtocol": "tcp", "FromPort": wanted["port"], "ToPort": wanted["port"], "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    on.ec2.authorize_security_group_ingress(GroupId=name, IpPermissions=[open_to_all])


def alarm_period():
    known = on.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    kept = ("Namespace", "MetricName", "Dimensions", "Statistic", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    on.cloudwatch.put_metric_alarm(AlarmName=name, Period=300, **{field: known[field] for field in kept})


CHANGES = {
    "bucket-versioning": lambda: on.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"}),
    "bucket-open": lambda: on.s3.delete_public_access_block(Bucket=name),
    "bucket-encryption": lambda: on.s3.delete_bucket_encryption(Bucket=name),
    "bucket-rule": bucket_rule,
    "bucket-lifecycle": lambda: on.s3.delete_bucket_lifecycle(Bucket=name),
    "bucket-tag": bucket_tag,
    "bucket-delete": bucket_delete,
    "table-recovery": lambda: on.dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    ),
    "table-protection": lambda: on.dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False),
    "table-tag": lambda: on.dynamodb.tag_resource(ResourceArn=table_arn(), Tags=tag()),
    "table-replica": lambda: on.dynamodb.update_table(
        TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": wanted["replica"]}}]
    ),
    "group-sizes": group_sizes,
    "group-desired": lambda: on.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=wanted["desired"]),
    "group-tag": group_tag,
    "group-delete": lambda: on.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True),
    "template-default": lambda: template_default(wanted["version"]),
    "template-version": template_version,
    "group-release": group_release,
    "template-delete": lambda: on.ec2.delete_launch_template(LaunchTemplateName=name),
    "ec2-tag": lambda: on.ec2.create_tags(Resources=[name], Tags=tag()),
    "ec2-untag": lambda: on.ec2.delete_tags(Resources=[name], Tags=[{"Key": wanted["key"]}]),
    "launch": launch,
    "terminate": lambda: on.ec2.terminate_instances(InstanceIds=[name]),
    "endpoint-routes": lambda: on.ec2.modify_vpc_endpoint(VpcEndpointId=name, RemoveRouteTableIds=[wanted["route_table"]]),
    "group-rule": group_rule,
    "check-path": lambda: on.route53.update_health_check(HealthCheckId=name, ResourcePath=wanted["path"]),
    "alarm-period": alarm_period,
    "lock-lease": lock_lease,
    "role-policy": lambda: on.iam.delete_role_policy(RoleName=name, PolicyName=wanted["policy"]),
}

CHANGES[wanted["change"]]()
emit({})
