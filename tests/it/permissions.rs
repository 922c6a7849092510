//! Least privilege: the calls of a stack's whole life are exactly those that the documented policy
//! allows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::json;

use crate::drstack::Drstack;
use crate::main_job::{apply, seed, stack, values};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

/// Actions that are allowed and never called by name: AWS demands each of them for another call,
/// according to its documentation.
const IMPLIED: &[(&str, &str)] = &[
    ("autoscaling:CreateOrUpdateTags", "groups made with tags"),
    ("autoscaling:DeleteLifecycleHook", "a hook that the primary's group has no longer"),
    ("autoscaling:DescribeLaunchConfigurations", "a group with one, which none here has"),
    ("autoscaling:DescribeScalingActivities", "a group that lacks instances, which moto's never do"),
    ("autoscaling:PutLifecycleHook", "a hook that the primary's group got later"),
    ("autoscaling:SetInstanceProtection", "a failover from spot, of which moto's groups have none"),
    ("autoscaling:TerminateInstanceInAutoScalingGroup", "the same"),
    ("dynamodb:BatchWriteItem", "replicas"),
    ("dynamodb:CreateTable", "replicas"),
    ("dynamodb:CreateTableReplica", "replicas"),
    ("dynamodb:DeleteItem", "replicas"),
    ("dynamodb:DeleteTableReplica", "replicas"),
    ("dynamodb:GetItem", "replicas"),
    ("dynamodb:PutItem", "replicas"),
    ("dynamodb:Query", "replicas"),
    ("dynamodb:Scan", "replicas"),
    ("dynamodb:UpdateItem", "replicas"),
    ("ec2:CreateTags", "whatever is made with tags"),
    ("ec2:RunInstances", "groups with a launch template"),
    (
        "iam:CreateServiceLinkedRole",
        "the first group, the first replica, the first spot instance of an account",
    ),
    ("iam:PassRole", "rules with a role, groups with a profile"),
    ("iam:PutRolePermissionsBoundary", "stacks with `permissions_boundary`"),
    ("iam:TagInstanceProfile", "profiles made with tags"),
    ("kms:CreateGrant", "replicas, images and volumes under a key"),
    ("kms:Decrypt", "the same"),
    ("kms:DescribeKey", "the same"),
    ("kms:Encrypt", "the same"),
    ("kms:GenerateDataKey", "the same"),
    ("kms:GenerateDataKeyWithoutPlaintext", "the same"),
    ("kms:ReEncryptFrom", "the same"),
    ("kms:ReEncryptTo", "the same"),
    ("logs:CreateLogGroup", "imports of tables"),
    ("logs:CreateLogStream", "imports of tables"),
    ("logs:DescribeLogGroups", "imports of tables"),
    ("logs:DescribeLogStreams", "imports of tables"),
    ("logs:PutLogEvents", "imports of tables"),
    ("logs:PutRetentionPolicy", "imports of tables"),
    ("s3:AbortMultipartUpload", "exports of tables"),
    ("s3:DeleteObjectVersion", "removing versions by one call for many"),
    ("s3:PutObjectAcl", "exports of tables"),
];

/// Calls for spot instances, failed launches, reserved capacity or a web server's answers, which
/// moto lacks. `failover.rs` and `reservations.rs` see each on fakecloud, `traffic.rs` the last
/// one.
const NOT_ON_MOTO: &[&str] = &[
    "autoscaling:DescribeScalingActivities",
    "autoscaling:SetInstanceProtection",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "ec2:DescribeCapacityReservations",
    "route53:GetHealthCheckStatus",
];

/// IAM actions of S3 by their requests: method, object and sub-resource.
const S3: &[(&str, &str)] = &[
    ("DELETE Bucket", "DeleteBucket"),
    ("DELETE Bucket lifecycle", "PutLifecycleConfiguration"),
    ("DELETE Bucket replication", "PutReplicationConfiguration"),
    ("DELETE Object", "DeleteObject"),
    ("GET Bucket", "ListBucket"),
    ("GET Bucket delimiter", "ListBucket"),
    ("GET Bucket bucket-region", "ListAllMyBuckets"),
    ("GET Bucket accelerate", "GetAccelerateConfiguration"),
    ("GET Bucket acl", "GetBucketAcl"),
    ("GET Bucket cors", "GetBucketCORS"),
    ("GET Bucket encryption", "GetEncryptionConfiguration"),
    ("GET Bucket lifecycle", "GetLifecycleConfiguration"),
    ("GET Bucket logging", "GetBucketLogging"),
    ("GET Bucket notification", "GetBucketNotification"),
    ("GET Bucket object-lock", "GetBucketObjectLockConfiguration"),
    ("GET Bucket ownershipControls", "GetBucketOwnershipControls"),
    ("GET Bucket policy", "GetBucketPolicy"),
    ("GET Bucket publicAccessBlock", "GetBucketPublicAccessBlock"),
    ("GET Bucket replication", "GetReplicationConfiguration"),
    ("GET Bucket tagging", "GetBucketTagging"),
    ("GET Bucket versioning", "GetBucketVersioning"),
    ("GET Bucket versions", "ListBucketVersions"),
    ("GET Bucket website", "GetBucketWebsite"),
    ("GET Object", "GetObject"),
    ("POST Bucket delete", "DeleteObject"),
    ("PUT Bucket", "CreateBucket"),
    ("PUT Bucket encryption", "PutEncryptionConfiguration"),
    ("PUT Bucket lifecycle", "PutLifecycleConfiguration"),
    ("PUT Bucket policy", "PutBucketPolicy"),
    ("PUT Bucket publicAccessBlock", "PutBucketPublicAccessBlock"),
    ("PUT Bucket replication", "PutReplicationConfiguration"),
    ("PUT Bucket tagging", "PutBucketTagging"),
    ("PUT Bucket versioning", "PutBucketVersioning"),
    ("PUT Object", "PutObject"),
];

/// IAM actions of Route 53 by their requests.
const ROUTE53: &[(&str, &str)] = &[
    ("DELETE healthcheck/*", "DeleteHealthCheck"),
    ("GET healthcheck", "ListHealthChecks"),
    ("GET hostedzone/*", "GetHostedZone"),
    ("GET hostedzone/*/rrset", "ListResourceRecordSets"),
    ("GET hostedzonesbyname", "ListHostedZonesByName"),
    ("POST healthcheck", "CreateHealthCheck"),
    ("POST healthcheck/*", "UpdateHealthCheck"),
    ("POST hostedzone/*/rrset", "ChangeResourceRecordSets"),
    ("POST tags/healthcheck", "ListTagsForResources"),
    ("POST tags/healthcheck/*", "ChangeTagsForResource"),
];

/// Returns the action that a call needs; the call itself if no action is known.
pub(crate) fn action(call: &str) -> String {
    let mut parts = call.splitn(3, '/').skip(1);
    let (service, operation) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let by_path = |known: &[(&str, &str)]| {
        let found = known.iter().find(|(seen, _)| *seen == operation);
        found.map_or_else(|| call.to_owned(), |(_, it)| format!("{service}:{it}"))
    };
    match service {
        "s3" => by_path(S3),
        "route53" => by_path(ROUTE53),
        "monitoring" => format!("cloudwatch:{operation}"),
        // The service that the request is signed for is the prefix of its actions.
        _ => format!("{service}:{operation}"),
    }
}

/// A stack on a server, and all calls that drstack made there, by the action that each needs.
struct Life<'a> {
    server: &'a Server,
    boto: Boto<'a>,
    machine: Rc<Drstack>,
    seen: BTreeMap<String, u64>,
}

impl Life<'_> {
    /// Runs drstack and counts its calls. The counts are reset before, so that boto3's calls are
    /// left out.
    fn run(&mut self, args: &[&str], code: i32) {
        let machine = self.machine.clone();
        self.run_on(&machine, args, code);
    }

    /// Runs drstack on another machine and counts its calls.
    fn run_on(&mut self, machine: &Drstack, args: &[&str], code: i32) {
        self.server.find();
        machine.run(args).code(code);
        assert_eq!(self.server.bare(), BTreeMap::new(), "{args:?} named no owner of a bucket");
        for (call, count) in self.server.calls() {
            *self.seen.entry(action(&call)).or_default() += count;
        }
    }
}

const FENCE: &str = "[fence.writers]\n";

#[test]
fn calls_and_policy_are_the_same() {
    let Some(server) = Server::moto() else { return };
    let (boto, machine) = (server.boto(), Rc::new(server.drstack()));
    let mut life = Life { server: &server, boto, machine, seen: BTreeMap::new() };
    seed(&life.boto);
    let zone = json!({ "kind": "zone", "name": "example.com", "records": [
        { "name": "api.example.com", "type": "CNAME", "ttl": 60, "values": ["east.example.com"] },
    ]});
    let zone = life.boto.seed(&json!([zone]))["example.com"]["id"].as_str().expect("an id").to_owned();
    life.boto.seed(&json!([{ "kind": "table", "name": "fixed", "provisioned": [5, 5] }, { "kind": "image", "name": "golden" }]));
    let text = format!(
        "{}\n[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nadopt = true\nprimary_target = \"east.example.com\"\n\
         standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/\"\nwatch = false\n",
        stack("warm").replace("[pool.inference]", "[pool.inference]\nengine = \"fleet\"")
    );
    life.machine.write(
        "s/stack.toml",
        &format!("{text}[network.there]\ntags = {{ team = \"x\" }}\n[table.fixed]\nname = \"fixed\"\n"),
    );
    is_made(&mut life, &text);
    // It has checks to write, and moto knows no quota: not ready.
    life.run(&["status", "s", "--data"], 3);
    fails_over_and_back(&mut life);
    drifts(&mut life, &text, &zone);
    gets_smaller_and_goes(&mut life, &text);
    for folder in crate::components::folders() {
        let machine = server.drstack();
        crate::components::live(&server, &machine, &folder, &mut |args, code| {
            life.run_on(&machine, args, code);
        });
    }
    compare(life.seen);
}

fn is_made(life: &mut Life<'_>, text: &str) {
    life.run(&["plan", "s"], 65);
    let many = "[bucket.many]\nfor_each = [\"a\", \"b\", \"c\", \"d\"]\nname = \"many-${each.key}\"\n";
    let names = ["a", "b", "c", "d"].map(|key| json!({ "kind": "bucket", "name": format!("many-{key}") }));
    life.boto.seed(&json!(names));
    life.machine.write("s/stack.toml", &format!("{text}[image.golden]\nsource = \"golden\"\n{many}{FENCE}"));
    life.run(&["apply", "s", "--auto-approve"], 0);
    life.run(&["plan", "s"], 0);
}

fn fails_over_and_back(life: &mut Life<'_>) {
    // moto evaluates no alarms.
    let alarm = |boto: &Boto<'_>, state: &str| {
        let alarm =
            json!({ "region": STANDBY, "do": "alarm", "alarm": "drstack-fleet-traffic-api", "state": state });
        boto.run("traffic", &alarm);
    };
    alarm(&life.boto, "ALARM");
    // The stack has no check of what serves.
    life.run(&["failover", "s", "--auto-approve"], 3);
    alarm(&life.boto, "OK");
    // An instance as a killed failover leaves it.
    let tags = json!({ "drstack:stack": "fleet", "drstack:burst": "pool.inference/group" });
    life.boto.drift(STANDBY, "launch", "drstack-fleet-pool-inference", json!({ "tags": tags }));
    life.run(&["failback", "s", "--auto-approve"], 0);
}

/// Makes everything drift that can, so that drstack changes it too.
fn drifts(life: &mut Life<'_>, text: &str, zone: &str) {
    let world = life.boto.world(STANDBY, &["endpoints", "route_tables"]);
    let id = |section: &str, key: &str| {
        let objects = values(&world[section]);
        let ours = objects.iter().find(|it| it["Tags"]["drstack:stack"] == "fleet").expect("ours");
        ours[key].as_str().expect("an id").to_owned()
    };
    let routes = json!({ "route_table": id("route_tables", "RouteTableId") });
    life.boto.drift(STANDBY, "endpoint-routes", &id("endpoints", "VpcEndpointId"), routes);
    // Everything drifts that can, so that drstack changes it too.
    let moved = json!({ "/drstack/fleet/active-region": "elsewhere" });
    life.boto.run("parameters", &json!({ "region": STANDBY, "path": "/drstack", "set": moved }));
    let role = "drstack-fleet-bucket-models-replication";
    life.boto.drift(PRIMARY, "role-policy", role, json!({ "policy": "drstack" }));
    life.boto.drift(
        STANDBY,
        "template-version",
        "drstack-fleet-pool-inference",
        json!({ "type": "t3.nano" }),
    );
    life.boto.drift(STANDBY, "alarm-period", "drstack-fleet-traffic-api", json!({}));
    let datum = json!({ "region": STANDBY, "do": "write", "stack": "fleet", "traffic": "traffic-api", "value": 1.0, "ago": 120 });
    life.boto.run("traffic", &datum);
    life.machine.write(
        "s/stack.toml",
        &format!(
            "{}{FENCE}",
            text.replace("https://api.example.com/", "https://api.example.com/healthz")
                .replace("\"example.com\"", &format!("\"{zone}\""))
                .replace(
                    "[bucket.models]",
                    "[bucket.models]
old_versions_days = 0"
                )
                .replace(
                    "ingress",
                    "zones = [\"us-west-2a\", \"us-west-2b\"]
ingress"
                )
        ),
    );
    life.run(
        &["apply", "s", "--auto-approve", "--delete-data", "image.golden", "--delete-data", "bucket.many"],
        0,
    );
}

fn gets_smaller_and_goes(life: &mut Life<'_>, text: &str) {
    life.machine.write(
        "s/stack.toml",
        &text
            .replace("8080", "8081")
            .replace("[bucket.archive]", "#")
            .replace("name    = \"acme-archive\"\nposture = \"cold\"\ndelete_markers = false", "#"),
    );
    life.run(&["apply", "s", "--auto-approve", "--delete-data", "bucket.archive"], 0);
    life.machine.write("s/stack.toml", &stack("cold"));
    life.run(&["apply", "s", "--auto-approve", "--delete-data", "table.features"], 0);
    // The stack has no check of what serves.
    life.run(&["failover", "s", "--auto-approve"], 3);
    life.run(&["failback", "s", "--auto-approve"], 0);
    life.run(
        &[
            "destroy",
            "s",
            "--auto-approve",
            "--delete-data",
            "table.features",
            "--delete-data",
            "bucket.models",
            "--delete-data",
            "bucket.archive",
            "--delete-data",
            "pool.inference",
            "--delete-data",
            "control",
        ],
        0,
    );
}

fn compare(seen: BTreeMap<String, u64>) {
    let policy: BTreeSet<String> = policy_actions("iam-policy.json");
    let called: BTreeSet<String> = seen.into_keys().collect();
    let missing: Vec<_> = called.difference(&policy).collect();
    assert!(missing.is_empty(), "called, and not allowed by docs/iam-policy.json: {missing:#?}");
    let implied: BTreeSet<String> = IMPLIED.iter().map(|(action, _)| (*action).to_owned()).collect();
    let superfluous: Vec<_> = policy
        .difference(&called)
        .filter(|action| !implied.contains(*action) && !NOT_ON_MOTO.contains(&action.as_str()))
        .collect();
    assert!(superfluous.is_empty(), "allowed by docs/iam-policy.json, and never called: {superfluous:#?}");
    assert!(
        implied.is_subset(&policy),
        "implied, and not allowed: {:#?}",
        implied.difference(&policy).collect::<Vec<_>>()
    );
}

/// Returns the actions that a policy of `docs` allows.
pub(crate) fn policy_actions(file: &str) -> BTreeSet<String> {
    let path = format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the policy");
    let policy: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        match &statement["Action"] {
            serde_json::Value::String(one) => {
                actions.insert(one.clone());
            }
            several => actions.extend(
                several.as_array().expect("actions").iter().map(|it| it.as_str().expect("text").to_owned()),
            ),
        }
    }
    actions
}

/// Runs without any permission leave the world as it was.
#[test]
fn a_region_that_denies_is_told_apart_from_one_that_is_empty() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    seed(&boto);
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    apply(&machine);
    server.fail(STANDBY, "DescribeVpcs", ("UnauthorizedOperation", 403), None);
    let ran = machine.run(["plan", "s"]).code(1);
    assert!(ran.stdout.contains("network.standby/vpc: could not look"), "{ran:?}");
    assert!(ran.stdout.contains("allow `ec2:DescribeVpcs`"), "{ran:?}");
    assert!(!ran.stdout.contains("+ vpc"), "{ran:?}");
}
