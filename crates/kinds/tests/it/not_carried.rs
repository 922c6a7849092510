//! What is set on followed objects and not carried, as each plan names it.

use drstack_core::address::Address;
use drstack_core::compile::{Compiled, compile};
use drstack_core::facts::{Fact, FactQuery};
use drstack_core::objective::Mode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::loaded::{facts, stack};

const STACK: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[network.standby]
vpc     = "vpc-1"
subnets = ["subnet-1"]

[pool.inference]
follows = "web"
network = "@network.standby"

[bucket.models]
name = "acme-models"

[table.features]
name = "acme-features"

[queue.jobs]
name = "acme-jobs"

[image.base]
source = "ami-1"

[traffic.api]
zone           = "example.com"
record         = "api"
adopt          = true
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
"#;

/// Returns the compiled stack if the fact of `query` has these fields.
fn compiled(query: &FactQuery, change: &Value) -> Compiled {
    let stack = stack(STACK);
    let mut facts = facts(&stack);
    // The simulated group has some of its own.
    for fact in facts.answers.values_mut() {
        fact.value.as_object_mut().map(|it| it.remove("not_carried"));
    }
    let mut value = facts.answers[&query.key()].value.clone();
    value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    facts.answers.insert(query.key(), Fact::new(Timestamp::UNIX_EPOCH, value));
    let compiled = compile(&stack, &facts, Mode::Standby);
    assert!(!compiled.has_errors(), "{:?}", compiled.problems);
    compiled
}

/// Returns what the compiled stack names if the fact of `query` has these fields.
fn named(query: &FactQuery, change: &Value) -> Vec<String> {
    let named = compiled(query, change).not_carried;
    named.into_iter().map(|it| format!("{}: {}", it.address, it.text)).collect()
}

#[test]
fn each_component_names_what_its_object_has_and_the_standby_has_not() {
    let said = |query: &FactQuery, fields: &Value| named(query, &json!({ "not_carried": fields }));
    let primary = |kind: &str, name: &str| FactQuery::primary(kind, name);
    let page = "(docs/reference/followed.md)";
    let group = json!({
        "LifecycleHook.NotificationTargetARN": {"count": 2}, "DescribePolicies": {"count": 1},
        "AutoScalingGroup.HealthCheckType": {"value": "ELB"}, "ResponseLaunchTemplateData.KeyName": "set",
    });
    assert_eq!(
        said(&primary("group", "web"), &group),
        [format!(
            "pool.inference: not carried from group web: 1 scaling policy, 2 notifying lifecycle hooks, health check ELB, key pair {page}"
        )]
    );
    let bucket = json!({"GetBucketPolicy": "set", "GetBucketCors": {"count": 2}});
    assert_eq!(
        said(&primary("bucket", "acme-models"), &bucket),
        [format!("bucket.models: not carried from bucket acme-models: bucket policy, 2 CORS rules {page}")]
    );
    let table = json!({"DescribeContinuousBackups": {"value": "7 days"}, "ListTagsOfResource": {"count": 1}});
    assert_eq!(
        said(&primary("table", "acme-features"), &table),
        [format!(
            "table.features: not carried from table acme-features: 1 tag, recovery period 7 days {page}"
        )]
    );
    let queue = json!({"QueueAttributeName.RedriveAllowPolicy": "set"});
    assert_eq!(
        said(&primary("queue", "acme-jobs"), &queue),
        [format!(
            "queue.jobs: not carried from queue acme-jobs: redrive permissions, which name ARNs of their region {page}"
        )]
    );
    let image = json!({"Image.Tags": {"count": 3}});
    assert_eq!(
        said(&primary("image", "ami-1"), &image),
        [format!("image.base: not carried from image ami-1: 3 image tags {page}")]
    );
}

#[test]
fn an_image_that_a_group_brings_is_named_by_its_pool() {
    let image = json!({"id": "ami-7", "name": "base", "owned": true, "standby": null,
        "not_carried": {"Image.Tags": {"count": 1}}});
    assert_eq!(
        named(&FactQuery::primary("group", "web"), &json!({ "image": image })),
        ["pool.inference: not carried from image ami-7: 1 image tag (docs/reference/followed.md)"]
    );
}

/// E9
#[test]
fn a_record_that_is_adopted_names_the_health_check_that_it_loses() {
    let fact = json!({
        "simple": {"target": "east.example.com", "ttl": 60},
        "not_carried": {"ResourceRecordSet.HealthCheckId": "set", "AliasTarget.EvaluateTargetHealth": "set"},
    });
    assert_eq!(
        named(&drstack_kinds::facts::dns("example.com", "api"), &fact),
        [
            "traffic.api: not carried from record api.example.com: health check of its own, evaluation of the health of its targets \
             (docs/reference/followed.md)"
        ]
    );
}

#[test]
fn what_a_call_did_not_answer_is_named_too() {
    let hooks = json!({"LifecycleHook.NotificationTargetARN": {"unseen": "autoscaling:DescribeLifecycleHooks was denied"}});
    assert_eq!(
        named(&FactQuery::primary("group", "web"), &json!({ "not_carried": hooks })),
        [
            "pool.inference: could not see of group web: notifying lifecycle hooks (autoscaling:DescribeLifecycleHooks was denied); \
         docs/iam-policy.json lists what drstack needs"
        ]
    );
}

#[test]
fn facts_of_an_older_version_name_nothing_and_are_read() {
    assert_eq!(named(&FactQuery::primary("group", "web"), &json!({})), Vec::<String>::new());
}

#[test]
fn options_of_a_template_are_carried() {
    let template = Address::parse("pool.inference/launch-template").unwrap();
    let options = |change: &Value| {
        let graph = compiled(&FactQuery::primary("group", "web"), change).graph;
        graph.resources[&template].spec.get("options").cloned()
    };
    let set = json!({"hop_limit": 2, "monitoring": true});
    assert_eq!(options(&json!({ "options": set })), Some(set));
    assert_eq!(options(&json!({})), None, "the spec, and its tag, are what they were");
}

#[test]
fn what_a_group_does_by_itself_is_carried_once_it_is_known() {
    let group = Address::parse("pool.inference/group").unwrap();
    let behaviour = |value: Value| {
        let fact = json!({ "behaviour": value });
        let graph = compiled(&FactQuery::primary("group", "web"), &fact).graph;
        graph.resources[&group].spec.get("behaviour").cloned()
    };
    let set = json!({"grace_period": 900, "termination_policies": ["OldestInstance"]});
    assert_eq!(behaviour(set.clone()), Some(set));
    assert_eq!(behaviour(json!({})), Some(json!({})), "the primary's group has every default");
    assert_eq!(behaviour(Value::Null), None, "an older fact says nothing of it");
}

/// C1: without its launching hook "in service" does not mean that an instance can serve.
#[test]
fn hooks_and_tags_of_a_group_are_carried_once_they_are_known() {
    let group = Address::parse("pool.inference/group").unwrap();
    let carried = |fact: Value| {
        let graph = compiled(&FactQuery::primary("group", "web"), &fact).graph;
        let spec = &graph.resources[&group].spec;
        (spec.get("hooks").cloned(), spec.get("tags").cloned())
    };
    let hooks = json!([{"name": "load", "transition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "heartbeat": 900, "default_result": "ABANDON"}]);
    let tags = json!({"team": {"value": "ml", "at_launch": true}});
    assert_eq!(carried(json!({"hooks": hooks, "tags": tags})), (Some(hooks), Some(tags.clone())));
    let many: serde_json::Map<String, Value> =
        (10..60).map(|it| (format!("t{it}"), tags["team"].clone())).collect();
    let kept = carried(json!({"tags": many})).1.expect("tags");
    assert_eq!(kept.as_object().map(serde_json::Map::len), Some(42), "AWS takes 50, with drstack's own");
    let said = named(&FactQuery::primary("group", "web"), &json!({"tags": many}));
    let beyond = "no room for: t52, t53, t54, t55, t56, t57, t58, t59";
    assert!(said.iter().any(|it| it.contains(beyond)), "{said:?}");
    assert_eq!(carried(json!({"hooks": []})).0, Some(json!([])), "the primary's group has none");
    assert_eq!(carried(json!({"hooks": null})), (None, None), "they could not be read, and stay as they are");
}

/// A launching hook that only the primary completes keeps every instance of the standby out.
#[test]
fn each_hook_that_ends_launches_is_named() {
    let notes = |transition: &str, result: &str| {
        let hook = json!({"name": "load", "transition": format!("autoscaling:EC2_INSTANCE_{transition}"),
            "heartbeat": 900, "default_result": result});
        let notes = compiled(&FactQuery::primary("group", "web"), &json!({"hooks": [hook]})).notes;
        notes.into_iter().map(|it| it.text).filter(|it| it.contains("hook `load`")).collect::<Vec<_>>()
    };
    let said = notes("LAUNCHING", "ABANDON");
    assert!(said.len() == 1 && said[0].contains("within 900 s"), "{said:?}");
    assert!(said[0].contains("has to run in us-west-2 too"), "{said:?}");
    assert_eq!(notes("LAUNCHING", "CONTINUE"), [""; 0]);
    assert_eq!(notes("TERMINATING", "ABANDON"), [""; 0]);
}
