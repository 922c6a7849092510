use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use drstack_core::kind::{Action, Operation, Place, Side};
use drstack_core::stack::{FileError, InputValues, ReadFiles, Stack, load};
use serde_json::Value;

use super::calls::places;
use super::{CONTROL, MOST_CHARACTERS, Role, SIDES, SUPPLY, characters, operations, parts, policy};
use crate::facts;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn statements(policy: &Value) -> &[Value] {
    policy["Statement"].as_array().unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let all = statements(policy).iter().flat_map(|it| texts(&it["Action"]));
    all.map(str::to_owned).collect()
}

/// Actions after which something is gone.
fn destroys(action: &str) -> bool {
    let name = action.split(':').next_back().unwrap_or_default();
    ["Abort", "Delete", "Deregister", "Disassociate", "Remove", "Revoke", "Terminate"]
        .iter()
        .any(|start| name.starts_with(start))
}

struct Disk;

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        std::fs::read_to_string(path).map_err(|error| FileError::Other(error.to_string()))
    }
}

/// Every stack of the repository that loads without inputs.
fn stacks() -> Vec<(PathBuf, Stack)> {
    let folders = std::fs::read_dir(format!("{ROOT}stacks")).unwrap().map(|it| it.unwrap().path());
    let loaded: Vec<(PathBuf, Stack)> = folders
        .filter_map(|folder| {
            let entry = folder.join("stack.toml");
            Some((folder, load(&entry, &InputValues::new(), &crate::components(), &Disk).ok()?.stack))
        })
        .collect();
    assert!(loaded.len() > 2, "{}", loaded.len());
    loaded
}

fn with_all(text: &str) -> Stack {
    let folder = tempfile::tempdir().unwrap();
    let entry = folder.path().join("stack.toml");
    std::fs::write(&entry, text).unwrap();
    load(&entry, &InputValues::new(), &crate::components(), &Disk)
        .unwrap_or_else(|it| panic!("{:?}", it.problems))
        .stack
}

fn fleet() -> Stack {
    with_all(
        "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\ncontrol = \"acme-control\"\n\
         [bucket.models]\nname = \"acme-models\"\n[table.sessions]\nname = \"sessions\"\n[table.cold]\nname = \"archive\"\nposture = \"cold\"\n\
         [queue.jobs]\nname = \"jobs\"\n[image.golden]\nsource = \"ami-0123456789abcdef0\"\n[network.net]\ncidr = \"10.64.0.0/16\"\n\
         [fence.writers]\ndeny_writers = [\"serving\"]\nbuckets = [\"@bucket.models\"]\n",
    )
}

/// `DRSTACK_BLESS=1` writes the files again.
#[test]
fn the_documented_policies_are_what_the_kinds_declare() {
    for (role, file) in Role::ALL.into_iter().zip([
        "iam-policy-read.json",
        "iam-policy-sync.json",
        "iam-policy.json",
        "iam-policy-failover.json",
    ]) {
        let path = format!("{ROOT}docs/{file}");
        let wanted = format!("{:#}\n", policy(role, None));
        if std::env::var_os("DRSTACK_BLESS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == wanted,
            "docs/{file} is not what the kinds declare: run this test with DRSTACK_BLESS=1"
        );
    }
}

/// C6, F6: every operation is allowed to exactly the roles whose commands make its call.
#[test]
fn a_call_is_allowed_to_the_roles_that_make_it_and_to_no_other() {
    let [read, sync, apply, failover] = Role::ALL.map(|role| actions(&policy(role, None)));
    let mut made: BTreeMap<Made, BTreeSet<String>> = BTreeMap::new();
    for kind in crate::kinds().iter() {
        for it in kind.operations() {
            let name = format!("{}:{}", it.service, it.action);
            let is_standby = kind.places().contains(&Place::Standby);
            let steps = it.is_of(Action::Create) || it.is_of(Action::Update) || it.reads();
            if it.reads() && kind.check().is_none() {
                made.entry(Made::Read).or_default().insert(name.clone());
            }
            if steps && kind.check().is_none() {
                made.entry(Made::Sync).or_default().insert(name.clone());
            }
            if is_standby && steps && it.home().is_none() && it.side() != Side::ThroughPrimary {
                made.entry(Made::Failover).or_default().insert(name);
            }
        }
    }
    let of_facts = || facts::ALL.iter().flat_map(|(_, operations)| operations.iter());
    let named = |it: &Operation| format!("{}:{}", it.service, it.action);
    made.entry(Made::Read).or_default().extend(of_facts().chain(SIDES).chain(SUPPLY).map(named));
    made.entry(Made::Sync).or_default().extend(of_facts().chain(SUPPLY).map(named));
    for role in [Made::Read, Made::Sync, Made::Failover] {
        let of_control = CONTROL.iter().filter(|it| role != Made::Read || it.reads());
        let always = ["sts:GetCallerIdentity".to_owned(), "s3:ListBucket".to_owned()];
        let all = of_control.map(|it| format!("{}:{}", it.service, it.action)).chain(always);
        made.entry(role).or_default().extend(all);
    }
    assert_eq!(read, made[&Made::Read]);
    assert_eq!(sync, made[&Made::Sync]);
    assert_eq!(failover, made[&Made::Failover]);
    let all: BTreeSet<String> =
        operations().iter().map(|it| format!("{}:{}", it.service, it.action)).collect();
    assert_eq!(apply, all);
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Made {
    Read,
    Sync,
    Failover,
}

/// A sync makes and changes: it ends parts of what it changes (a hook, a rule, a route, instances of a group), it may do
/// what AWS asks of whoever makes a replica or an export, and it gives the control bucket's lock back.
#[test]
fn a_sync_deletes_no_object() {
    let allowed = actions(&policy(Role::Sync, None));
    let destroying: Vec<&String> = allowed.iter().filter(|it| destroys(it)).collect();
    assert_eq!(
        destroying,
        [
            "autoscaling:DeleteLifecycleHook",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "dynamodb:DeleteItem",
            "ec2:DisassociateRouteTable",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:TerminateInstances",
            "iam:RemoveRoleFromInstanceProfile",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject"
        ]
    );
    for gone in
        ["s3:DeleteBucket", "ec2:DeleteVpc", "ec2:DeregisterImage", "dynamodb:DeleteTable", "iam:DeleteRole"]
    {
        assert!(!allowed.contains(gone), "{gone}");
    }
}

#[test]
fn a_failover_neither_destroys_nor_calls_what_one_region_keeps_for_all() {
    let allowed = actions(&policy(Role::Failover, None));
    // It ends the instances that Fleet launched beside a group, a hook that the bundle has not, and the
    // control bucket's lock.
    let destroying: Vec<&String> = allowed.iter().filter(|it| destroys(it)).collect();
    assert_eq!(
        destroying,
        [
            "autoscaling:DeleteLifecycleHook",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "ec2:DisassociateRouteTable",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:TerminateInstances",
            "s3:DeleteObject"
        ]
    );
    for gone in ["iam:CreateRole", "route53:ChangeResourceRecordSets", "s3:CreateBucket", "ec2:CopyImage"] {
        assert!(!allowed.contains(gone), "{gone}");
    }
    let read = actions(&policy(Role::Read, None));
    assert!(
        read.iter().all(|it| ["Describe", "Get", "List", "Scan"]
            .iter()
            .any(|start| it.contains(&format!(":{start}"))))
    );
}

/// The primary is sacred: no policy of a stack destroys anything in its region.
#[test]
fn no_policy_of_a_stack_destroys_in_the_primary_region() {
    let mut stacks: Vec<(PathBuf, Stack)> = stacks();
    stacks.push((PathBuf::from("fleet"), fleet()));
    for (folder, stack) in stacks {
        let primary = &stack.facts.primary;
        for statement in statements(&policy(Role::Apply, Some(&stack))) {
            if !texts(&statement["Action"]).iter().any(|it| destroys(it)) {
                continue;
            }
            for resource in texts(&statement["Resource"]) {
                let parts: Vec<&str> = resource.split(':').collect();
                let is_safe = match parts.get(2..4) {
                    Some(["s3", _]) => statement["Sid"] == "BucketsOfStandby",
                    // What has a region is in the standby's; IAM's objects are the stack's.
                    Some(["iam", _]) => {
                        resource.contains(&format!("/drstack/{}/", stack.facts.name))
                            || statement["Sid"] == "Writers"
                    }
                    Some([_, region]) => *region == stack.facts.standby,
                    // Route 53 has no regions; drstack deletes the records and checks it created.
                    _ => statement["Sid"] == "Traffic",
                };
                assert!(is_safe, "{}: {resource} in {statement}", folder.display());
                assert!(!resource.contains(primary.as_str()), "{}: {resource}", folder.display());
            }
        }
    }
}

#[test]
fn the_buckets_of_the_primary_are_in_no_statement_that_deletes() {
    let policy = policy(Role::Apply, Some(&fleet()));
    let of = |sid: &str| statements(&policy).iter().find(|it| it["Sid"] == sid).unwrap();
    let (primary, standby) = (of("BucketsOfPrimary"), of("BucketsOfStandby"));
    assert_eq!(texts(&primary["Resource"]), ["arn:aws:s3:::acme-models", "arn:aws:s3:::acme-models/*"]);
    assert_eq!(
        texts(&primary["Action"]),
        ["s3:ListBucketVersions", "s3:PutBucketVersioning", "s3:PutReplicationConfiguration"]
    );
    let copies = texts(&standby["Resource"]);
    assert!(copies.contains(&"arn:aws:s3:::acme-models-us-west-2"), "{copies:?}");
    assert!(copies.contains(&"arn:aws:s3:::acme-control/*"), "{copies:?}");
    assert!(!copies.iter().any(|it| it.contains("acme-models/") || it.ends_with("acme-models")));
    let tables = of("TablesOfPrimary");
    assert!(texts(&tables["Resource"]).iter().all(|it| it.contains(":us-east-1:")));
    assert_eq!(
        texts(&tables["Action"]),
        [
            "dynamodb:ExportTableToPointInTime",
            "dynamodb:Scan",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTable"
        ]
    );
    assert_eq!(texts(&of("Writers")["Resource"]), ["arn:aws:iam::*:role/serving"]);
    assert_eq!(texts(&of("PassRole")["Resource"]), ["arn:aws:iam::*:role/drstack/fleet/*"]);
}

#[test]
fn creates_and_changes_of_ec2_are_bound_to_the_tag_of_the_stack() {
    let policy = policy(Role::Apply, Some(&fleet()));
    for (action, key) in [
        ("ec2:CreateVpc", "aws:RequestTag/drstack:stack"),
        ("ec2:DeleteVpc", "aws:ResourceTag/drstack:stack"),
        ("ec2:DeregisterImage", "aws:ResourceTag/drstack:stack"),
    ] {
        let allowing: Vec<&Value> =
            statements(&policy).iter().filter(|it| texts(&it["Action"]).contains(&action)).collect();
        assert_eq!(allowing.len(), 1, "{action}");
        assert_eq!(allowing[0]["Condition"]["StringEquals"][key], "fleet", "{action}");
    }
}

/// F6: a stack that names a boundary has no role created or changed without it.
#[test]
fn roles_are_bounded_by_the_policy_that_the_stack_names() {
    let boundary = "arn:aws:iam::123456789012:policy/drstack-roles";
    let mut stack = fleet();
    let of = |stack: &Stack, action: &str| -> Vec<Value> {
        let policy = policy(Role::Apply, Some(stack));
        statements(&policy).iter().filter(|it| texts(&it["Action"]).contains(&action)).cloned().collect()
    };
    assert!(of(&stack, "iam:PutRolePermissionsBoundary").is_empty());
    stack.facts.permissions_boundary = Some(boundary.to_owned());
    for action in ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"] {
        let statements = of(&stack, action);
        let ours: Vec<&Value> = statements.iter().filter(|it| it["Sid"] != "Writers").collect();
        assert_eq!(ours.len(), 1, "{action}");
        assert_eq!(ours[0]["Condition"]["StringEquals"]["iam:PermissionsBoundary"], boundary, "{action}");
    }
    assert!(of(&stack, "iam:DeleteRolePermissionsBoundary").is_empty());
    let facts = super::limits::Limits::of(&stack);
    assert_eq!(facts.boundary.as_deref(), Some(boundary));
    let compiled = drstack_core::compile::compile(
        &stack,
        &drstack_core::facts::Facts::default(),
        drstack_core::objective::Mode::Standby,
    );
    let roles = compiled.graph.resources.values().filter(|it| it.kind == "replication-role");
    let bounded: Vec<&Value> = roles.map(|it| &it.spec["permissions_boundary"]).collect();
    assert_eq!(bounded, [boundary]);
}

/// What AWS documents for replicas, and nothing less.
#[test]
fn replicas_have_what_dynamodb_demands_in_their_region() {
    let policy = policy(Role::Apply, Some(&fleet()));
    let of = statements(&policy).iter().find(|it| it["Sid"] == "TablesOfStandby").unwrap();
    let allowed = texts(&of["Action"]);
    for action in [
        "BatchWriteItem",
        "CreateTable",
        "CreateTableReplica",
        "DeleteItem",
        "DeleteTable",
        "DeleteTableReplica",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "UpdateItem",
    ] {
        assert!(allowed.contains(&format!("dynamodb:{action}").as_str()), "{action}");
    }
    assert!(texts(&of["Resource"]).contains(&"arn:aws:dynamodb:us-west-2:*:table/sessions"));
}

/// Each (action, resource, condition) of a policy.
fn allowed(policy: &Value) -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for statement in statements(policy) {
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                all.insert((action.to_owned(), resource.to_owned(), statement["Condition"].to_string()));
            }
        }
    }
    all
}

#[test]
fn the_parts_of_a_policy_fit_into_managed_ones_and_allow_the_same() {
    let mut split = 0;
    for role in Role::ALL {
        let of_stacks = stacks().into_iter().map(|(_, stack)| policy(role, Some(&stack)));
        for whole in of_stacks.chain([policy(role, None)]) {
            let parts = parts(&whole);
            split += usize::from(parts.len() > 1);
            let mut together = BTreeSet::new();
            for part in &parts {
                assert!(characters(part) <= MOST_CHARACTERS, "{}: {}", role.name(), characters(part));
                let sids: BTreeSet<&str> =
                    statements(part).iter().filter_map(|it| it["Sid"].as_str()).collect();
                assert_eq!(sids.len(), statements(part).len(), "a statement id twice");
                together.extend(allowed(part));
            }
            assert_eq!(together, allowed(&whole));
            // A role takes ten managed policies.
            assert!(parts.len() <= 10, "{}", parts.len());
        }
    }
    assert!(split > 0, "no policy was large enough to be split");
}

#[test]
fn a_kind_in_the_primary_region_alone_is_called_by_no_failover() {
    for kind in crate::kinds().iter().filter(|it| !it.places().contains(&Place::Standby)) {
        for it in kind.operations() {
            assert!(places(kind, it, Role::Failover).is_empty(), "{}: {}", kind.name(), it.action);
        }
    }
}
