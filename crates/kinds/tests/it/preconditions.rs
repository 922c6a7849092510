//! What the primary's objects need before drstack can follow them, as each plan says it.

use drstack_core::address::Address;
use drstack_core::compile::{Compiled, compile};
use drstack_core::diagnostic::{Diagnostic, Severity};
use drstack_core::facts::{Fact, FactQuery};
use drstack_core::objective::Mode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::loaded::{facts, stack};

const HEAD: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[network.standby]
vpc     = "vpc-1"
subnets = ["subnet-1"]
"#;

const POOL: &str = "[pool.web]\nfollows = \"web\"\nnetwork = \"@network.standby\"\n";
const BUCKET: &str = "[bucket.models]\nname = \"acme-models\"\n";

/// Returns a stack with these tables, compiled where the fact of `query` has these fields too.
fn compiled(tables: &str, (kind, name): (&str, &str), change: &Value, mode: Mode) -> Compiled {
    let mut stack = stack(&format!("{HEAD}{tables}"));
    let query = FactQuery::primary(kind, name);
    let mut facts = facts(&stack);
    let mut value = facts.answers[&query.key()].value.clone();
    value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    // The texts that a run has read.
    if let Some(text) = value.as_object_mut().unwrap().remove("user_data") {
        let hash = stack.secrets.keep(text.as_str().unwrap().to_owned());
        value["user_data_sha256"] = json!(hash);
    }
    facts.answers.insert(query.key(), Fact::new(Timestamp::UNIX_EPOCH, value));
    compile(&stack, &facts, mode)
}

/// Returns the problem that contains `part`, if there is one.
fn problem<'a>(compiled: &'a Compiled, part: &str) -> Option<&'a Diagnostic> {
    compiled.problems.iter().find(|it| it.message.contains(part))
}

/// Asserts that a plan refuses the stack with a message that has `part`, and that a stack whose
/// standby region serves is only warned.
#[track_caller]
fn refused(tables: &str, fact: (&str, &str), change: &Value, code: &str, part: &str) {
    let severity = |mode| {
        let compiled = compiled(tables, fact, change, mode);
        problem(&compiled, part).map(|it| (it.code, it.severity))
    };
    let said = [Mode::Standby, Mode::Active].map(severity);
    assert_eq!(said.map(|it| it.map(|(code, _)| code)), [Some(code), Some(code)]);
    assert_eq!(said.map(|it| it.map(|(_, of)| of)), [Some(Severity::Error), Some(Severity::Warning)]);
    assert!(problem(&compiled(tables, fact, &json!({}), Mode::Standby), part).is_none());
}

fn spec<'a>(compiled: &'a Compiled, address: &str) -> &'a Value {
    &compiled.graph.resources[&Address::parse(address).unwrap()].spec
}

#[test]
fn a_table_is_adopted_only_where_it_has_a_replica() {
    let table = "[table.features]\nname = \"acme-features\"\nadopt = true\n";
    let fact = ("table", "acme-features");
    refused(table, fact, &json!({"replicas": ["eu-west-1"]}), "DR244", "has no replica in us-west-2");
    let there = compiled(table, fact, &json!({"replicas": ["us-west-2"]}), Mode::Standby);
    assert!(problem(&there, "replica").is_none());
    let kinds: Vec<_> = there.graph.resources.values().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["global-table"], "nothing of the primary changes");
}

#[test]
fn a_group_that_counts_no_instances_needs_a_capacity_in_the_stack() {
    let group = ("group", "web");
    let weights = json!({"not_carried": {"LaunchTemplateOverrides.WeightedCapacity": {"count": 3}}});
    refused(POOL, group, &weights, "DR231", "counts its capacity in the weights of its instance types");
    let cores = json!({"not_carried": {"AutoScalingGroup.DesiredCapacityType": {"value": "vcpu"}}});
    refused(POOL, group, &cores, "DR231", "counts its capacity in `vcpu`");
    let said = format!("{POOL}capacity = 4\n");
    let sized = json!({"not_carried": weights["not_carried"], "capacity": 64, "max": 128});
    let compiled = compiled(&said, group, &sized, Mode::Active);
    assert!(problem(&compiled, "counts").is_none());
    let group = spec(&compiled, "pool.web/group");
    assert_eq!((&group["desired"], &group["max"]), (&json!(4), &json!(4)));
}

#[test]
fn a_bucket_whose_objects_s3_would_not_copy_is_refused() {
    let bucket = ("bucket", "acme-models");
    let lock = json!({"not_carried": {"GetObjectLockConfiguration": "set"}});
    refused(BUCKET, bucket, &lock, "DR210", "has Object Lock");
    let denied = json!({"not_carried": {"GetObjectLockConfiguration": {"unseen": "it was denied"}}});
    assert!(!compiled(BUCKET, bucket, &denied, Mode::Standby).has_errors(), "nobody knows of a lock");
    refused(BUCKET, bucket, &json!({"older_rule": "backup"}), "DR216", "rule `backup` of `acme-models`");
}

#[test]
fn a_table_with_an_index_of_fixed_capacity_is_refused() {
    let table = "[table.features]\nname = \"acme-features\"\n";
    let fixed = json!({"on_demand": false, "autoscaled": true, "fixed_indexes": ["by-day", "by-user"]});
    refused(table, ("table", "acme-features"), &fixed, "DR212", "for each: by-day, by-user");
}

#[test]
fn keys_by_id_and_alias_become_arns_that_the_role_may_use() {
    let keys = |source: &str, standby: &str| {
        let tables = format!("{BUCKET}kms_key = \"{standby}\"\n");
        let fact = json!({ "kms_key": source });
        let compiled = compiled(&tables, ("bucket", "acme-models"), &fact, Mode::Standby);
        let role = spec(&compiled, "bucket.models/replication-role");
        let rule = spec(&compiled, "bucket.models/replication-rule");
        let text = |of: &Value, field: &str| of[field].as_str().unwrap().to_owned();
        (text(role, "source_kms_key"), text(role, "kms_key"), text(rule, "kms_key"))
    };
    let account = drstack_kinds::facts::SIMULATED_ACCOUNT;
    let arn = |region: &str, rest: &str| format!("arn:aws:kms:{region}:{account}:{rest}");
    let standby = arn("us-west-2", "alias/copies");
    assert_eq!(keys("1234-ab", "alias/copies"), (arn("us-east-1", "key/1234-ab"), standby.clone(), standby));
    let arn = arn("eu-west-1", "key/a");
    assert_eq!(keys(&arn, &arn), (arn.clone(), arn.clone(), arn));
}

#[test]
fn a_followed_instance_profile_is_not_replaced_without_a_word() {
    let fact = json!({"profile": "web-instances"});
    let said = |tables: &str| {
        let compiled = compiled(tables, ("group", "web"), &fact, Mode::Standby);
        problem(&compiled, "`web-instances`").map(|it| (it.code, it.message.clone()))
    };
    let (code, message) = said(&format!("{POOL}buckets = [\"@bucket.models\"]\n{BUCKET}")).unwrap();
    assert_eq!(code, "DR239");
    assert!(message.contains("`buckets` replace") && message.contains("to pull images"), "{message}");
    assert_eq!(said(POOL), None, "it is kept");
    let named =
        format!("{POOL}buckets = [\"@bucket.models\"]\ninstance_profile = \"web-instances\"\n{BUCKET}");
    assert_eq!(said(&named), None);
}

#[test]
fn instances_may_decrypt_what_they_read_and_ask_which_region_may_write() {
    let policy = |tables: &str| {
        let tables = format!("{POOL}buckets = [\"@bucket.models\"]\n{BUCKET}{tables}");
        let compiled = compiled(&tables, ("group", "web"), &json!({}), Mode::Standby);
        let role = serde_json::from_value(spec(&compiled, "pool.web/instance-role").clone()).unwrap();
        drstack_kinds::services::iam::instance_role::policy(&role).to_string()
    };
    let plain = policy("");
    assert!(!plain.contains("kms:") && !plain.contains("ssm:"), "{plain}");
    let account = drstack_kinds::facts::SIMULATED_ACCOUNT;
    let all = policy("kms_key = \"1234-ab\"\n[fence.writers]\n");
    let key = format!(
        r#"{{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":"arn:aws:kms:us-west-2:{account}:key/1234-ab"}}"#
    );
    assert!(all.contains(&key), "{all}");
    let parameters = r#"{"Effect":"Allow","Action":["ssm:GetParameter","ssm:GetParameters"],"Resource":["arn:aws:ssm:us-west-2:*:parameter/drstack/fleet/*"]}"#;
    assert!(all.contains(parameters), "{all}");
}

#[test]
fn each_line_of_user_data_that_names_the_primary_is_said_without_its_content() {
    let text = "#!/bin/sh\nexport AWS_REGION=us-east-1 KEY=hunter2\naws s3 cp s3://acme-models/m .\n\
        curl https://west.example.com https://east.example.com\nexport OTHER=us-west-2\n";
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprobe = \"https://api.example.com/\"\n\
        primary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nafter = []\n";
    let tables = format!("{POOL}{BUCKET}{traffic}");
    let group = ("group", "web");
    let compiled = compiled(&tables, group, &json!({ "user_data": text }), Mode::Standby);
    let found: Vec<_> = compiled.problems.iter().filter(|it| it.code == "DR242").collect();
    let said: Vec<String> = found
        .iter()
        .map(|it| format!("{}; {}", it.message, it.help.as_deref().unwrap_or_default()))
        .collect();
    let with = "give the pool `user_data_file`, and write";
    assert_eq!(
        said,
        [
            format!(
                "pool.web: line 2 of the user data of group `web` names the primary's `us-east-1`; {with} `${{standby.region}}` there"
            ),
            format!(
                "pool.web: line 3 of the user data of group `web` names the primary's `acme-models`; {with} `acme-models-us-west-2` there"
            ),
            format!(
                "pool.web: line 4 of the user data of group `web` names the primary's `east.example.com`; {with} `west.example.com` there"
            ),
        ]
    );
    assert!(found.iter().all(|it| it.severity == Severity::Warning));
    let own = format!("{tables}\n").replace(
        "follows = \"web\"\n",
        "follows = \"web\"\nuser_data = \"region=${primary.region} there=${standby.region}\"\n",
    );
    let own = self::compiled(&own, group, &json!({ "user_data": text }), Mode::Standby);
    let found: Vec<_> = own.problems.iter().filter(|it| it.code == "DR242").map(|it| &it.message).collect();
    assert_eq!(found, ["pool.web: line 1 of the user data names the primary's `us-east-1`"]);
}
