"""Makes what another tool would have made before drstack came. In: {"region", "objects": [...]}; an object is one of

  {"kind": "bucket", "name", "versioning"?: bool, "kms_key"?, "tags"?, "contents"?: {key: text}}
  {"kind": "rule", "name": the bucket, "rule": id, "destination": bucket}                      replication by somebody else
  {"kind": "table", "name", "stream"?: bool, "kms_key"?, "tags"?, "items"?: [{attribute: text}],          on demand, hash key `pk`
   "index"?: [name, attribute]}                                                                  with a global index
  {"kind": "table", "name", "provisioned": [read, write]}                                      fixed capacity, no scaling
  {"kind": "key", "name"}                                                                      KMS key; its id is the ARN
  {"kind": "network", "name", "cidr"}                 VPC of that name, two subnets, a security group of that name, and an image
  {"kind": "image", "name"}                                                                    owned by this account
  {"kind": "profile", "name"}                                                                  instance profile and its role
  {"kind": "role", "name"}                                             role of an application, with an inline policy `theirs`
  {"kind": "reservation", "name", "type", "zone", "count"}                                     Capacity Reservation, targeted only
  {"kind": "zone", "name", "records"?: [{"name", "type", "ttl", "values", "set"?: id with weight 1}]}  public hosted zone
  {"kind": "group", "name", "image"?: id or name, "types"?: [type], "capacity"?, "min"?, "max"?, "user_data"?, "profile"?, "tags"?,
   "scheduled"?: the capacity of each morning, "hooks"?: number of lifecycle hooks, "template"?, "more"?: other fields of the template
   and of the group}

A group gets a launch template of its own name; one type makes a plain group, several a mixed one, on-demand only.
Out: {name: {"id" ...}} with ids of what has one.
"""

import base64

from aws import args, client, emit, tag_list

TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'


def bucket(region, want):
    s3, name = client("s3", region), want["name"]
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    if want.get("versioning"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if want.get("kms_key"):
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": want["kms_key"]}
        rules = [{"ApplyServerSideEncryptionByDefault": by_default}]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if want.get("tags"):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(want["tags"])})
    for key, text in want.get("contents", {}).items():
        s3.put_object(Bucket=name, Key=key, Body=text.encode())
    return {"id": name}


def rule(region, want):
    s3, iam, name = client("s3", region), client("iam", region), want["name"]
    role = iam.create_role(RoleName=f"{name}-by-hand", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    copies = {
        "ID": want["rule"],
        "Priority": 7,
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{want['destination']}"},
    }
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration={"Role": role, "Rules": [copies]})
    return {"id": want["rule"]}


def table(region, want):
    ddb, name = client("dynamodb", region), want["name"]
    how = {"BillingMode": "PAY_PER_REQUEST"}
    if "provisioned" in want:
        read, write = want["provisioned"]
        how = {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}
    if want.get("stream"):
        how["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    if want.get("kms_key"):
        how["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": want["kms_key"]}
    if want.get("tags"):
        how["Tags"] = tag_list(want["tags"])
    keys = ["pk"]
    if "index" in want:
        index, attribute = want["index"]
        keys.append(attribute)
        by = [{"AttributeName": attribute, "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}]
        how["GlobalSecondaryIndexes"] = [{"IndexName": index, "KeySchema": by, "Projection": {"ProjectionType": "KEYS_ONLY"}}]
    made = ddb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        **how,
    )
    for item in want.get("items", []):
        ddb.put_item(TableName=name, Item={key: {"S": text} for key, text in item.items()})
    return {"id": made["TableDescription"]["TableArn"]}


def key(region, want):
    made = client("kms", region).create_key(Description=want["name"])
    return {"id": made["KeyMetadata"]["Arn"]}


def network(region, want):
    ec2, name = client("ec2", region), want["name"]
    tags = lambda kind: [{"ResourceType": kind, "Tags": tag_list({"Name": name})}]
    vpc = ec2.create_vpc(CidrBlock=want["cidr"], TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    start = want["cidr"].rsplit(".", 2)[0]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"{start}.{number}.0/24", AvailabilityZone=f"{region}{zone}")["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(
        GroupName=name, Description=name, VpcId=vpc, TagSpecifications=tags("security-group")
    )["GroupId"]
    return {"id": vpc, "subnets": subnets, "security_group": group, "image": image(region, {"name": name})["id"]}


def image(region, want):
    made = client("ec2", region).register_image(
        Name=want["name"],
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        VirtualizationType="hvm",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3"}}],
    )
    return {"id": made["ImageId"]}


def profile(region, want):
    iam, name = client("iam", region), want["name"]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    made = iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return {"id": made["InstanceProfile"]["Arn"]}


def role(region, want):
    iam, name = client("iam", region), want["name"]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    allow = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"*"}]}'
    iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=allow)
    return {"id": arn}


def image_id(ec2, region, wanted):
    if wanted.startswith("ami-"):
        return wanted
    found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [wanted]}])["Images"]
    return found[0]["ImageId"] if found else image(region, {"name": wanted})["id"]


def group(region, want):
    ec2, asg, name = client("ec2", region), client("autoscaling", region), want["name"]
    types, capacity = want.get("types", ["g5.xlarge"]), want.get("capacity", 4)
    data = {
        "ImageId": image_id(ec2, region, want.get("image", f"{name}-image")),
        "InstanceType": types[0],
        "UserData": base64.b64encode(want.get("user_data", "#!/bin/sh\nexec serve\n").encode()).decode(),
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required"},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 40, "VolumeType": "gp3", "Encrypted": True}}],
    }
    data.update(want.get("template", {}))
    if want.get("profile"):
        data["IamInstanceProfile"] = {"Name": want["profile"]}
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
    launch = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"}
    if len(types) == 1:
        how = {"LaunchTemplate": launch}
    else:
        overrides = [{"InstanceType": kind} for kind in types]
        how = {
            "MixedInstancesPolicy": {
                "LaunchTemplate": {"LaunchTemplateSpecification": launch, "Overrides": overrides},
                "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 100},
            }
        }
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    asg.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=want.get("min", 0),
        MaxSize=want.get("max", capacity * 2),
        DesiredCapacity=capacity,
        VPCZoneIdentifier=",".join(sorted(subnet["SubnetId"] for subnet in subnets)[:2]),
        Tags=[{**tag, "PropagateAtLaunch": True} for tag in tag_list(want.get("tags", {}))],
        **how,
        **want.get("more", {}),
    )
    if "scheduled" in want:
        sizes = {"MinSize": want["scheduled"], "MaxSize": want["max"], "DesiredCapacity": want["scheduled"]}
        morning = {"AutoScalingGroupName": name, "ScheduledActionName": "morning", "Recurrence": "0 7 * * *"}
        asg.put_scheduled_update_group_action(**morning, **sizes)
    for number in range(want.get("hooks", 0)):
        hook = {"LifecycleHookName": f"load-{number}", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
        asg.put_lifecycle_hook(AutoScalingGroupName=name, **hook)
    return {"id": name, "template": template["LaunchTemplateId"], "image": data["ImageId"]}


def reservation(region, want):
    made = client("ec2", region).create_capacity_reservation(
        InstanceType=want["type"],
        InstancePlatform="Linux/UNIX",
        AvailabilityZone=want["zone"],
        InstanceCount=want["count"],
        InstanceMatchCriteria="targeted",
    )
    return {"id": made["CapacityReservation"]["CapacityReservationId"]}


def zone(region, want):
    route53, name = client("route53", region), want["name"]
    made = route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"].rsplit("/", 1)[-1]
    for record in want.get("records", []):
        routed = {"SetIdentifier": record["set"], "Weight": 1} if "set" in record else {}
        if "alias" in record:
            name, of = record["alias"]
            leads = {"AliasTarget": {"DNSName": name, "HostedZoneId": of, "EvaluateTargetHealth": True}}
        else:
            leads = {"TTL": record["ttl"], "ResourceRecords": [{"Value": value} for value in record["values"]]}
        record_set = {"Name": record["name"], "Type": record["type"], **leads, **routed}
        change = {"Action": "CREATE", "ResourceRecordSet": record_set}
        route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": [change]})
    return {"id": made}


KINDS = {"bucket": bucket, "rule": rule, "table": table, "key": key, "network": network, "image": image, "profile": profile, "group": group}
KINDS |= {"reservation": reservation, "role": role, "zone": zone}

wanted = args()
emit({want["name"]: KINDS[want["kind"]](wanted["region"], want) for want in wanted["objects"]})
