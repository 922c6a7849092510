//! What becomes of each type of object in a failover: by a component, beside one, or not at all.

use super::Thing;

/// What becomes of an object in a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A component protects it.
    Protected(&'static str),
    /// A component protects it, and something is left to know.
    Partly(Option<&'static str>, &'static str),
    /// It needs no protection of its own.
    Along(&'static str),
    /// Nothing protects it.
    Not(&'static str),
    /// Nothing that serves needs it.
    Aside,
}

const NO_COMPONENT: &str = "drstack has no component for it";
const CLUSTER: &str = "it belongs to a cluster of containers, and drstack makes no cluster";
const BALANCER: &str =
    "drstack makes no load balancer: have one in the standby region, and name it in [traffic]";
const NETWORK: &str = "[network] makes another one, private, with endpoints for S3 and DynamoDB alone; name one that exists for more";
const KEY: &str = "a key is of one region: name one of the standby region (`kms_key`)";
const GLOBAL: &str = "the same in every region";

/// Fates by type, or by the beginning of a type. The first that fits counts.
const FATES: &[(&str, Fate)] = &[
    (
        "aws_s3_bucket",
        Fate::Partly(Some("bucket"), "what is written from now on; older objects are copied by nobody yet"),
    ),
    ("aws_dynamodb_table", Fate::Protected("table")),
    ("aws_sqs_queue", Fate::Partly(Some("queue"), "the queue, and not its messages")),
    (
        "aws_autoscaling_group",
        Fate::Partly(Some("pool"), "its instances, and no load balancer in front of them"),
    ),
    ("aws_launch_template", Fate::Along("followed with its group")),
    ("aws_launch_configuration", Fate::Along("followed with its group")),
    ("aws_autoscaling_lifecycle_hook", Fate::Along("followed with its group")),
    ("aws_autoscaling_policy", Fate::Not("scaling policies are not carried")),
    ("aws_autoscaling_schedule", Fate::Not("scheduled actions are not carried")),
    ("aws_autoscaling_attachment", Fate::Not(BALANCER)),
    ("aws_ami*", Fate::Along("copied for the pool that uses it")),
    ("aws_s3_bucket_*", Fate::Partly(None, "docs/reference/followed.md says what of a bucket is carried")),
    ("aws_s3_object", Fate::Along("replicated with its bucket if it is written again")),
    ("aws_dynamodb_*", Fate::Along("with its table")),
    ("aws_sqs_queue_*", Fate::Along("with its queue")),
    ("aws_vpc_endpoint*", Fate::Not(NETWORK)),
    ("aws_vpc_security_group_*", Fate::Partly(None, NETWORK)),
    ("aws_vpc", Fate::Partly(None, NETWORK)),
    ("aws_subnet", Fate::Partly(None, NETWORK)),
    ("aws_route_table*", Fate::Partly(None, NETWORK)),
    ("aws_route", Fate::Partly(None, NETWORK)),
    ("aws_security_group*", Fate::Partly(None, NETWORK)),
    ("aws_default_*", Fate::Partly(None, NETWORK)),
    ("aws_internet_gateway", Fate::Not(NETWORK)),
    ("aws_nat_gateway", Fate::Not(NETWORK)),
    ("aws_eip*", Fate::Not(NETWORK)),
    ("aws_lb*", Fate::Not(BALANCER)),
    ("aws_alb*", Fate::Not(BALANCER)),
    ("aws_elb*", Fate::Not(BALANCER)),
    ("aws_route53_record", Fate::Partly(None, "write [traffic] for the name that users call")),
    ("aws_route53_*", Fate::Along(GLOBAL)),
    ("aws_iam_*", Fate::Along(GLOBAL)),
    ("aws_kms_*", Fate::Not(KEY)),
    ("aws_cloudwatch_*", Fate::Aside),
    ("aws_budgets_*", Fate::Aside),
    ("aws_codebuild_*", Fate::Aside),
    ("aws_codepipeline*", Fate::Aside),
];

/// Returns what becomes of `thing`; none if it is not of AWS.
pub fn fate(thing: &Thing) -> Option<Fate> {
    if !thing.kind.starts_with("aws_") {
        return None;
    }
    if thing.is_of_cluster && thing.kind == "aws_autoscaling_group" {
        return Some(Fate::Not(CLUSTER));
    }
    let is_of = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => thing.kind.starts_with(beginning),
        None => thing.kind == pattern,
    };
    let known = FATES.iter().find(|(pattern, _)| is_of(pattern)).map(|(_, fate)| *fate);
    Some(known.unwrap_or(Fate::Not(NO_COMPONENT)))
}
