//! Statements that allow a call: on which resources, and under which condition.
//!
//! Sources: the Service Authorization Reference, per service. A condition stands only where the
//! reference lists its key for the action: a call whose key is missing is denied.

use drstack_core::kind::Place;
use serde_json::{Map, Value, json};

use super::calls::Call;
use super::limits::Limits;
use super::role::Role;
use crate::names::NAMESPACE;
use crate::services::autoscaling::group::fleet::BURST;

/// The tag that names the stack of an object.
const STACK: &str = "drstack:stack";
/// Services whose service-linked role AWS creates on first use.
const LINKED: [&str; 3] =
    ["autoscaling.amazonaws.com", "replication.dynamodb.amazonaws.com", "spot.amazonaws.com"];
/// Services that roles are passed to.
const PASSED_TO: [&str; 2] = ["ec2.amazonaws.com", "s3.amazonaws.com"];
/// Services that use a key for their caller.
const KEY_USERS: [&str; 3] = ["dynamodb", "ec2", "s3"];
/// Calls of EC2 that launch: what they touch includes images, subnets and templates of
/// others, and Auto Scaling makes them for the caller.
const LAUNCHES: [&str; 2] = ["CreateFleet", "RunInstances"];
/// Calls of EC2 that create inside of something that may be the user's: a VPC that the stack
/// follows.
const WITHIN: [&str; 4] = ["CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpcEndpoint"];
/// What these create it in.
const AROUND: [&str; 4] = ["route-table", "security-group", "subnet", "vpc"];
/// What EC2 creates with tags, beside images and what [`LAUNCHES`] do.
const MADE: [&str; 6] = ["launch-template", "route-table", "security-group", "subnet", "vpc", "vpc-endpoint"];
/// Reads of IAM that no path limits.
const UNLIMITED: [&str; 3] = ["GetAccountAuthorizationDetails", "ListInstanceProfiles", "ListRoles"];

/// One statement's part for one action.
pub(super) struct Grant {
    pub(super) sid: &'static str,
    pub(super) resources: Vec<String>,
    pub(super) condition: Value,
}

fn grant(sid: &'static str, resources: Vec<String>, condition: Value) -> Grant {
    Grant { sid, resources, condition }
}

fn anywhere() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Returns what allows `service:action` to `role`.
pub(super) fn of(
    service: &str,
    action: &'static str,
    call: &Call,
    role: Role,
    limits: &Limits,
) -> Vec<Grant> {
    match service {
        "iam" => iam(action, call, limits),
        "route53" | "sts" if !call.changes => vec![grant("GlobalReads", anywhere(), Value::Null)],
        "route53" => vec![grant("Traffic", anywhere(), Value::Null)],
        "s3" => s3(action, call, role, limits),
        "ssm" => {
            let arn = |rest: &str| limits.arn("ssm", &limits.standby, &format!("parameter/drstack/{rest}"));
            let folder = &limits.stack;
            vec![grant("Parameters", vec![arn(folder), arn(&format!("{folder}/*"))], Value::Null)]
        }
        "dynamodb" => dynamodb(action, call, role, limits),
        _ if !call.changes => vec![reads(role, limits)],
        "ec2" => ec2(action, limits),
        "autoscaling" => autoscaling(action, limits),
        "cloudwatch" if action == "PutMetricData" => {
            vec![grant("Metric", anywhere(), equals("cloudwatch:namespace", NAMESPACE))]
        }
        "cloudwatch" => {
            let name = format!("alarm:drstack-{}-*", limits.stack);
            vec![grant("Alarms", vec![limits.arn(service, &limits.standby, &name)], Value::Null)]
        }
        "logs" => {
            let group = limits.arn(service, &limits.standby, "log-group:/aws-dynamodb/*");
            vec![grant("ImportLogs", vec![group], Value::Null)]
        }
        "kms" => {
            // The domain that follows is the partition's.
            let via = |region: &str| KEY_USERS.map(|it| format!("{it}.{region}.*"));
            let regions = regions(role, limits);
            let services: Vec<String> = regions.iter().flat_map(|it| via(it)).collect();
            vec![grant("Keys", anywhere(), json!({"StringLike": {"kms:ViaService": services}}))]
        }
        "sqs" => {
            let arn = |queue: &String| limits.arn(service, &limits.standby, queue);
            vec![grant("Queues", limits.queues.iter().map(arn).collect(), Value::Null)]
        }
        other => panic!("no statement allows {other}:{action}"),
    }
}

/// Returns the regions that `role` calls.
fn regions(role: Role, limits: &Limits) -> Vec<&str> {
    match role {
        _ if !limits.has_regions() => vec!["*"],
        Role::Failover => vec![&limits.standby],
        Role::Read | Role::Sync | Role::Apply => vec![&limits.primary, &limits.standby],
    }
}

/// Allows reads of settings, of whatever object: a plan looks for the stack's own among all.
fn reads(role: Role, limits: &Limits) -> Grant {
    grant("Reads", anywhere(), in_regions(role, limits))
}

fn in_regions(role: Role, limits: &Limits) -> Value {
    match limits.has_regions() {
        true => json!({"StringEquals": {"aws:RequestedRegion": regions(role, limits)}}),
        false => Value::Null,
    }
}

fn equals(key: &str, value: &str) -> Value {
    let operator = if value.contains('*') { "StringLike" } else { "StringEquals" };
    json!({operator: {key: value}})
}

/// Returns the condition that the object has the stack's tag.
fn tagged(limits: &Limits) -> Value {
    equals(&format!("aws:ResourceTag/{STACK}"), &limits.stack)
}

/// Returns the condition that the request puts the stack's tag on what it creates.
fn tagging(limits: &Limits) -> Value {
    equals(&format!("aws:RequestTag/{STACK}"), &limits.stack)
}

fn ec2(action: &'static str, limits: &Limits) -> Vec<Grant> {
    // Images and snapshots have no account in their ARN, which the `*` takes too.
    let all = || vec![limits.arn("ec2", &limits.standby, "*")];
    let those = |types: &[&str]| -> Vec<String> {
        types.iter().map(|it| limits.arn("ec2", &limits.standby, &format!("{it}/*"))).collect()
    };
    match action {
        _ if LAUNCHES.contains(&action) => vec![grant("Launches", all(), Value::Null)],
        // It names an image of the primary region.
        "CopyImage" => {
            let region = || equals("aws:RequestedRegion", &limits.standby);
            let condition = if limits.has_regions() { region() } else { Value::Null };
            vec![grant("CopyImages", anywhere(), condition)]
        }
        "CreateTags" => {
            let creation = json!({"StringLike": {"ec2:CreateAction": ["C*", "RunInstances"]}});
            vec![grant("TagNew", all(), creation), grant("Ours", all(), tagged(limits))]
        }
        // Only instances that Fleet launched for the stack.
        "TerminateInstances" => {
            let mut condition = Map::new();
            condition.insert(format!("aws:ResourceTag/{STACK}"), json!(limits.stack));
            condition.insert(format!("aws:ResourceTag/{BURST}"), json!("*"));
            vec![grant("LaunchedByFleet", all(), json!({"StringLike": condition}))]
        }
        "CreateLaunchTemplateVersion" => vec![grant("Ours", all(), tagged(limits))],
        _ if WITHIN.contains(&action) => vec![
            grant("Creates", those(&MADE), tagging(limits)),
            grant("CreatesWithin", those(&AROUND), Value::Null),
        ],
        _ if action.starts_with("Create") => vec![grant("Creates", those(&MADE), tagging(limits))],
        _ => vec![grant("Ours", all(), tagged(limits))],
    }
}

fn autoscaling(action: &'static str, limits: &Limits) -> Vec<Grant> {
    let group = || vec![limits.arn("autoscaling", &limits.standby, "autoScalingGroup:*")];
    let new = || grant("NewGroups", group(), tagging(limits));
    let ours = || grant("OurGroups", group(), tagged(limits));
    match action {
        "CreateAutoScalingGroup" => vec![new()],
        "CreateOrUpdateTags" => vec![new(), ours()],
        _ => vec![ours()],
    }
}

fn iam(action: &'static str, call: &Call, limits: &Limits) -> Vec<Grant> {
    let [role, profile] =
        ["role", "instance-profile"].map(|it| limits.iam(&format!("{it}/drstack/{}/*", limits.stack)));
    let writers = || limits.writers.iter().map(|it| limits.iam(&format!("role/{it}"))).collect();
    let is_of_fence = matches!(action, "DeleteRolePolicy" | "GetRole" | "GetRolePolicy" | "PutRolePolicy");
    let mut grants = match action {
        "CreateServiceLinkedRole" => {
            let condition = json!({"StringEquals": {"iam:AWSServiceName": LINKED}});
            vec![grant("ServiceLinkedRoles", anywhere(), condition)]
        }
        "PassRole" => {
            let condition = json!({"StringEquals": {"iam:PassedToService": PASSED_TO}});
            vec![grant("PassRole", vec![role], condition)]
        }
        // A stack that names no boundary sets none.
        "PutRolePermissionsBoundary" if limits.boundary.is_none() && limits.has_regions() => Vec::new(),
        "CreateRole" | "PutRolePermissionsBoundary" | "PutRolePolicy" if limits.boundary.is_some() => {
            let boundary = limits.boundary.as_deref().unwrap_or_default();
            vec![grant("BoundRoles", vec![role], equals("iam:PermissionsBoundary", boundary))]
        }
        _ if UNLIMITED.contains(&action) => vec![grant("GlobalReads", anywhere(), Value::Null)],
        _ => vec![grant("Roles", vec![profile, role], Value::Null)],
    };
    if is_of_fence && !limits.writers.is_empty() && call.places.contains(&Place::Global) {
        grants.push(grant("Writers", writers(), Value::Null));
    }
    grants
}

fn s3(action: &'static str, call: &Call, role: Role, limits: &Limits) -> Vec<Grant> {
    // No bucket of another account, whatever its policy allows.
    let own = json!({"aws:ResourceAccount": "${aws:PrincipalAccount}"});
    let is_data = matches!(action, "GetObject" | "ListBucket" | "ListBucketVersions");
    if action == "ListAllMyBuckets" {
        return vec![grant("GlobalReads", anywhere(), Value::Null)];
    }
    if !call.changes && !is_data {
        let mut condition = in_regions(role, limits);
        if condition.is_null() {
            condition = json!({});
        }
        condition["StringEqualsIfExists"] = own;
        return vec![grant("BucketReads", anywhere(), condition)];
    }
    let on = |buckets: &std::collections::BTreeSet<String>| -> Vec<String> {
        let whole = buckets.iter().map(|it| limits.bare("s3", it));
        let objects = buckets.iter().map(|it| limits.bare("s3", &format!("{it}/*")));
        whole.chain(objects).collect()
    };
    let condition = || json!({"StringEqualsIfExists": own});
    let grants = call.places.iter().map(|place| match place {
        Place::Primary => grant("BucketsOfPrimary", on(&limits.sources), condition()),
        Place::Standby | Place::Global => grant("BucketsOfStandby", on(&limits.copies), condition()),
    });
    grants.filter(|it| !it.resources.is_empty()).collect()
}

fn dynamodb(action: &'static str, call: &Call, role: Role, limits: &Limits) -> Vec<Grant> {
    let is_data = matches!(action, "GetItem" | "Query" | "Scan");
    if !call.changes && !is_data {
        return vec![reads(role, limits)];
    }
    let on = |region: &str| -> Vec<String> {
        let arn = |rest: String| limits.arn("dynamodb", region, &format!("table/{rest}"));
        limits.tables.iter().flat_map(|it| [arn(it.clone()), arn(format!("{it}/*"))]).collect()
    };
    let grants = call.places.iter().map(|place| {
        let sid = if *place == Place::Primary { "TablesOfPrimary" } else { "TablesOfStandby" };
        grant(sid, on(limits.region(*place)), Value::Null)
    });
    grants.filter(|it| !it.resources.is_empty()).collect()
}
