//! Diagnostics of components about the answers of the live regions: message and help as a user
//! reads them.

use drstack_core::compile::compile;
use drstack_core::diagnostic::render;
use drstack_core::facts::{Fact, FactQuery, Facts};
use drstack_core::objective::Mode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::loaded::{facts, stack};

/// Returns the diagnostics of a warm stack with `body` when the simulated regions answer.
fn said(body: &str) -> String {
    said_of(body, |_| {})
}

/// Returns the diagnostics after `change` to the answers.
fn said_of(body: &str, change: impl FnOnce(&mut Facts)) -> String {
    let head =
        "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n\n";
    let stack = stack(&format!("{head}{body}"));
    let mut facts = facts(&stack);
    change(&mut facts);
    render(&compile(&stack, &facts, Mode::Standby).problems, &stack.sources, false)
}

/// Sets the answer to `query` to `value`; null for an object that does not exist.
fn answer(query: FactQuery, value: Value) -> impl FnOnce(&mut Facts) {
    move |facts| {
        let fact = Fact::new(Timestamp::UNIX_EPOCH, value);
        assert!(facts.answers.insert(query.key(), fact).is_some(), "nobody asks {}", query.key());
    }
}

/// Removes the answer to `query`, as if no region had ever answered it.
fn silence(query: FactQuery) -> impl FnOnce(&mut Facts) {
    move |facts| assert!(facts.answers.remove(&query.key()).is_some(), "nobody asks {}", query.key())
}

const BUCKET: &str = "[bucket.models]\nname = \"acme-models\"\n";
const KEYED_BUCKET: &str = "[bucket.models]\nname = \"acme-models\"\nkms_key = \"alias/models\"\n";
const TABLE: &str = "[table.features]\nname = \"acme-features\"\n";
const KEYED_TABLE: &str = "[table.features]\nname = \"acme-features\"\nkms_key = \"alias/features\"\n";
const IMAGE: &str = "[image.base]\nsource = \"acme-base\"\n";
const NETWORK: &str = "[network.standby]\ncidr = \"10.64.0.0/16\"\n";
const TAGGED: &str = "[network.standby]\ntags = { team = \"fleet\" }\n";
const POOL: &str = "[network.standby]\nvpc = \"vpc-1\"\nsubnets = [\"subnet-1\"]\n\n\
                    [pool.inference]\nfollows = \"fleet-inference\"\nnetwork = \"@network.standby\"\n";

const TRAFFIC: &str = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n\
                       standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n";

fn bucket() -> FactQuery {
    FactQuery::primary("bucket", "acme-models")
}

fn table() -> FactQuery {
    FactQuery::primary("table", "acme-features")
}

fn image() -> FactQuery {
    FactQuery::primary("image", "acme-base")
}

fn network() -> FactQuery {
    FactQuery::standby("network", "team=fleet")
}

fn zones() -> FactQuery {
    FactQuery::standby("zones", "")
}

fn group() -> FactQuery {
    FactQuery::primary("group", "fleet-inference")
}

fn dns() -> FactQuery {
    drstack_kinds::facts::dns("example.com", "api")
}

fn dns_fact(change: Value) -> Value {
    changed(json!({"zones": ["Z1"], "record": "api.example.com", "simple": null, "others": []}), change)
}

fn table_fact(change: Value) -> Value {
    changed(json!({"on_demand": true, "autoscaled": false, "kms_key": null, "stream": null}), change)
}

fn group_fact(change: Value) -> Value {
    let fact = json!({
        "image": {"id": "ami-1", "name": "base", "owned": true, "standby": null},
        "types": ["g5.xlarge"], "capacity": 4, "max": 8, "user_data_sha256": null, "profile": null, "disks": [],
    });
    changed(fact, change)
}

/// Returns `fact` with the fields of `change` in place of its own.
fn changed(mut fact: Value, change: Value) -> Value {
    if let (Value::Object(fields), Value::Object(change)) = (&mut fact, change) {
        fields.extend(change);
    }
    fact
}

#[test]
fn nothing_is_said_where_all_is_well() {
    let queries =
        [(BUCKET, bucket()), (TABLE, table()), (IMAGE, image()), (NETWORK, zones()), (TAGGED, network())];
    for (body, query) in queries.into_iter().chain([(POOL, group()), (TRAFFIC, dns())]) {
        assert_eq!(said(body), "");
        // Each component asks this fact, or `silence` would end the test.
        said_of(body, silence(query));
    }
}

#[test]
fn a_bucket_that_does_not_exist() {
    insta::assert_snapshot!(said_of(BUCKET, answer(bucket(), Value::Null)));
}

#[test]
fn a_bucket_or_a_table_that_never_answered_is_no_error_in_the_stack() {
    assert_eq!(said_of(BUCKET, silence(bucket())), "");
    assert_eq!(said_of(TABLE, silence(table())), "");
}

#[test]
fn objects_under_a_key() {
    let keyed = || json!({"versioning": true, "kms_key": "arn:aws:kms:us-east-1:123456789012:key/1"});
    insta::assert_snapshot!(said_of(BUCKET, answer(bucket(), keyed())));
    assert_eq!(said_of(KEYED_BUCKET, answer(bucket(), keyed())), "");
}

#[test]
fn a_bucket_with_rules_of_others() {
    let fact = json!({"versioning": true, "foreign_role": "arn:aws:iam::123456789012:role/theirs"});
    insta::assert_snapshot!(said_of(BUCKET, answer(bucket(), fact)));
}

#[test]
fn a_table_that_does_not_exist() {
    insta::assert_snapshot!(said_of(TABLE, answer(table(), Value::Null)));
}

#[test]
fn a_table_with_a_fixed_capacity() {
    let fact = |autoscaled| table_fact(json!({"on_demand": false, "autoscaled": autoscaled}));
    insta::assert_snapshot!(said_of(TABLE, answer(table(), fact(false))));
    assert_eq!(said_of(TABLE, answer(table(), fact(true))), "");
}

#[test]
fn a_global_table_of_the_old_version() {
    insta::assert_snapshot!(said_of(TABLE, answer(table(), table_fact(json!({"legacy": true})))));
}

#[test]
fn a_table_under_a_key() {
    let keyed = || table_fact(json!({"kms_key": "arn:aws:kms:us-east-1:123456789012:key/2"}));
    insta::assert_snapshot!(said_of(TABLE, answer(table(), keyed())));
    assert_eq!(said_of(KEYED_TABLE, answer(table(), keyed())), "");
}

#[test]
fn a_stream_that_shows_too_little() {
    let stream = |view: &str| table_fact(json!({"stream": view}));
    insta::assert_snapshot!(said_of(TABLE, answer(table(), stream("KEYS_ONLY"))));
    assert_eq!(said_of(TABLE, answer(table(), stream("NEW_AND_OLD_IMAGES"))), "");
}

#[test]
fn nothing_is_asked_of_a_cold_table_that_only_a_replica_needs() {
    let cold = format!("{TABLE}posture = \"cold\"\n");
    let fact = table_fact(json!({"on_demand": false, "legacy": true, "stream": "KEYS_ONLY"}));
    assert_eq!(said_of(&cold, answer(table(), fact)), "");
}

#[test]
fn an_image_that_does_not_exist_or_never_answered() {
    insta::assert_snapshot!(said_of(IMAGE, answer(image(), Value::Null)) + &said_of(IMAGE, silence(image())));
}

#[test]
fn an_image_of_somebody_else() {
    let fact = |standby| json!({"id": "ami-9", "name": "al2023", "owned": false, "standby": standby});
    insta::assert_snapshot!(said_of(IMAGE, answer(image(), fact(None))));
    assert_eq!(said_of(IMAGE, answer(image(), fact(Some("ami-8")))), "");
}

#[test]
fn a_network_whose_tags_find_none_or_two_or_no_subnet() {
    let found = |vpcs: &[&str]| json!({"vpcs": vpcs, "subnets": [], "security_groups": []});
    let none = said_of(TAGGED, answer(network(), found(&[])));
    assert_eq!(none, said_of(TAGGED, answer(network(), Value::Null)));
    let two = said_of(TAGGED, answer(network(), found(&["vpc-1", "vpc-2"])));
    insta::assert_snapshot!(none + &two + &said_of(TAGGED, answer(network(), found(&["vpc-1"]))));
}

#[test]
fn a_network_that_was_never_asked_for() {
    insta::assert_snapshot!(said_of(TAGGED, silence(network())));
}

#[test]
fn zones_that_are_not_known_or_too_few() {
    let few = answer(zones(), json!(["us-west-2a", "us-west-2-lax-1a"]));
    insta::assert_snapshot!(said_of(NETWORK, silence(zones())) + &said_of(NETWORK, few));
}

#[test]
fn a_group_that_does_not_exist_or_never_answered() {
    insta::assert_snapshot!(said_of(POOL, answer(group(), Value::Null)) + &said_of(POOL, silence(group())));
}

#[test]
fn a_group_without_types_or_with_an_image_of_somebody_else() {
    let image = json!({"id": "ami-9", "name": "al2023", "owned": false, "standby": null});
    insta::assert_snapshot!(
        said_of(POOL, answer(group(), group_fact(json!({"types": []}))))
            + &said_of(POOL, answer(group(), group_fact(json!({ "image": image }))))
    );
}

/// C4, E6: the answer that cannot be followed is told, and a pool with an image of its own does
/// without.
#[test]
fn a_group_whose_image_cannot_be_resolved() {
    let why = "its image is `resolve:ssm:/golden/inference`, and there is no such parameter";
    let fact = || answer(group(), group_fact(json!({"image": {"no_image": why}})));
    insta::assert_snapshot!(said_of(POOL, fact()));
    assert_eq!(said_of(&format!("{POOL}image = \"ami-0abc\"\n"), fact()), "");
}

#[test]
fn a_zone_that_does_not_exist_or_never_answered_or_stands_twice() {
    let twice = dns_fact(json!({"zones": ["Z1", "Z2"]}));
    insta::assert_snapshot!(
        said_of(TRAFFIC, answer(dns(), Value::Null))
            + &said_of(TRAFFIC, silence(dns()))
            + &said_of(TRAFFIC, answer(dns(), twice))
    );
}

/// E9: the help is to write what stands there, not to change a record that serves.
#[test]
fn a_record_of_somebody_else() {
    let leads_to = |target: &str| dns_fact(json!({"simple": {"target": target, "ttl": 300}}));
    let alias = || dns_fact(json!({"others": ["A alias of east.example.com"]}));
    let adopting = format!("{TRAFFIC}adopt = true\n");
    let dualstack = json!({"target": "dualstack.lb-1.us-east-1.elb.amazonaws.com", "ttl": 0, "zone": "Z35"});
    let dualstack = || dns_fact(json!({ "simple": dualstack }));
    insta::assert_snapshot!(
        said_of(TRAFFIC, answer(dns(), leads_to("east.example.com")))
            + &said_of(&adopting, answer(dns(), leads_to("elsewhere.example.com")))
            + &said_of(&adopting, answer(dns(), dualstack()))
            + &said_of(&adopting, answer(dns(), alias()))
    );
    assert_eq!(said_of(&adopting, answer(dns(), leads_to("east.example.com"))), "");
}
