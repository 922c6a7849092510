//! Facts that could not be read, or were read at night: drstack changes nothing in the primary by
//! guess, and shrinks no standby.

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran, drstack};
use crate::lost_region::failover;
use crate::main_job::{apply, nothing_to_do};
use crate::reservations::one_pool;
use crate::servers::{PRIMARY, STANDBY, Server, Web};

const BUCKET: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
control = "acme-control"

[bucket.models]
name = "acme-models"
"#;

/// Returns a machine with a bucket that another owner replicates to `acme-archive`.
fn replicated(server: &Server) -> Drstack {
    server.boto().seed(&json!([
        { "kind": "bucket", "name": "acme-models" },
        { "kind": "bucket", "name": "acme-archive", "versioning": true },
        { "kind": "rule", "name": "acme-models", "rule": "archive", "destination": "acme-archive" },
    ]));
    let machine = server.drstack();
    machine.write("s/stack.toml", BUCKET);
    machine
}

/// Returns the whole replication configuration of the primary bucket, as boto3 reads it.
fn replication(server: &Server) -> Value {
    server.boto().world(PRIMARY, &["buckets"])["buckets"]["acme-models"]["replication"].clone()
}

/// Asserts that the run failed, named the call and a hint, and did not change the rule.
#[track_caller]
fn expect_blocked(ran: Ran, hint: &str) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("s3:GetEncryptionConfiguration") && said.contains(hint), "{said}");
    assert!(!said.contains("models/replication-rule"), "{said}");
    ran.code(1);
}

#[test]
fn a_role_of_others_stays_where_a_fact_could_not_be_read() {
    let Some(server) = Server::moto() else { return };
    for (error, hint) in [
        (("AccessDenied", 403), "allow `s3:GetEncryptionConfiguration`"),
        (("SlowDown", 503), "run the same command again"),
    ] {
        server.reset();
        let machine = replicated(&server);
        let theirs = replication(&server);
        server.fail(PRIMARY, "GET Bucket encryption", error, None);
        expect_blocked(machine.run(["plan", "s"]), hint);
        expect_blocked(machine.run(["apply", "s", "--auto-approve"]), hint);
        // boto3 is refused like drstack.
        server.find();
        assert_eq!(replication(&server), theirs, "{error:?}");

        // Once the fact can be read, the rule is added to theirs, under their role.
        apply(&machine);
        let both = replication(&server);
        assert_eq!(both["Role"], theirs["Role"]);
        let rules = both["Rules"].as_array().expect("rules");
        assert!(rules.len() == 2 && rules.contains(&theirs["Rules"][0]), "{both:#}");
        nothing_to_do(&machine);

        // Resources that follow an earlier answer stay so, which is no failure.
        server.fail(PRIMARY, "GET Bucket encryption", error, None);
        let ran = machine.run(["plan", "s"]).ok();
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("using the answer of"), "{ran:?}");
        server.find();
        assert_eq!(replication(&server), both);
    }
}

/// Returns the desired capacity of the pool's group in the standby region.
fn desired(server: &Server) -> Value {
    server.boto().world(STANDBY, &["groups"])["groups"]["drstack-fleet-pool-inference"]["sizes"]["desired"]
        .clone()
}

#[test]
fn a_group_that_is_scaled_down_for_the_night_is_failed_over_with_the_capacity_of_the_day() {
    let Some(server) = Server::moto() else { return };
    let group = json!({ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 12, "max": 16 });
    server.boto().seed(&json!([group]));
    let machine = server.drstack();
    machine.write("s/stack.toml", &one_pool(""));
    apply(&machine);
    assert_eq!(desired(&server), 3);

    server.boto().drift(PRIMARY, "group-desired", "serve", json!({ "desired": 1 }));
    let ran = machine.run(["apply", "s", "--auto-approve"]).ok();
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("DR238") && said.contains("of 1, from 12 on"), "{said}");
    assert_eq!(desired(&server), 3);

    failover(&machine).unasked();
    assert_eq!(desired(&server), 12);
}

#[test]
fn a_capacity_that_a_schedule_sets_counts_before_it_was_ever_seen() {
    let Some(server) = Server::moto() else { return };
    let group = json!({
        "kind": "group", "name": "serve", "types": ["m5.large"], "capacity": 1, "max": 16, "scheduled": 12,
    });
    server.boto().seed(&json!([group]));
    let machine = server.drstack();
    machine.write("s/stack.toml", &one_pool(""));
    apply(&machine);
    assert_eq!(desired(&server), 3);
}

/// E9: a network that looks into connections has authorities of its own.
#[test]
fn the_authorities_of_the_aws_command_line_count() {
    let machine = drstack();
    let Some(web) = Web::start("localhost", machine.folder(), "403") else { return };
    let machine = machine.at(&format!("https://localhost:{}", web.port), STANDBY);
    machine.write("s/stack.toml", BUCKET);
    let authority = machine.folder().join("ca.pem").display().to_string();
    let unknown = machine.run(["plan", "s"]).code(1);
    assert!(unknown.stderr.contains("invalid peer certificate"), "{unknown:?}");
    assert!(unknown.stderr.contains("`AWS_CA_BUNDLE`"), "{unknown:?}");
    let machine = machine.env("AWS_CA_BUNDLE", &authority);
    let trusted = machine.run(["plan", "s"]).code(1);
    assert!(!trusted.stderr.contains("certificate") && trusted.stderr.contains("HTTP 501"), "{trusted:?}");
    let machine = machine.env("AWS_CA_BUNDLE", "nowhere.pem");
    let missing = machine.run(["plan", "s"]).code(1);
    assert!(missing.stderr.contains("AWS_CA_BUNDLE refused: `nowhere.pem`: No such file"), "{missing:?}");
    assert!(missing.stderr.contains("fix what it names"), "{missing:?}");
}
