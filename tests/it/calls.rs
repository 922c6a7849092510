//! The call log records what the servers received, and drstack obtains credentials without the
//! primary region.

use std::collections::BTreeMap;

use serde_json::json;

use crate::lost_region::failover;
use crate::main_job::{apply, seed, stack};
use crate::servers::{STANDBY, Server};

/// The region that calls to services of the whole partition are signed for: with a custom endpoint,
/// the client's.
const SIGNED_FOR: &str = STANDBY;

/// Asserts that the newest log has every call that the server counted since the last reset, except
/// some of S3 at the end.
#[track_caller]
fn expect_logged(server: &Server, unlogged: std::ops::RangeInclusive<u64>) {
    let seen = server.calls();
    let logs = server.boto().run("read_calls", &json!({ "region": STANDBY, "bucket": "acme-control" }));
    let logs = logs.as_object().expect("logs by run");
    // Names of runs begin with the time.
    let notes =
        logs.iter().max_by_key(|(run, _)| run.as_str()).and_then(|(_, it)| it.as_array()).expect("notes");
    let mut logged: BTreeMap<String, u64> = BTreeMap::new();
    for note in notes {
        assert!(note["request_id"].is_string() && note["at"].is_string(), "{note}");
        let text = |key: &str| note[key].as_str().expect("text").to_owned();
        let region =
            Some(text("region")).filter(|it| it != "global").unwrap_or_else(|| SIGNED_FOR.to_owned());
        // Requests to S3 carry no operation name.
        let name = match text("service").as_str() {
            "s3" => format!("{region}/s3"),
            // CloudWatch signs for its older name.
            "cloudwatch" => format!("{region}/monitoring/{}", text("operation")),
            // As with S3; the paths of Route 53 show the rest.
            "route53" => format!("{region}/route53"),
            service => format!("{region}/{service}/{}", text("operation")),
        };
        *logged.entry(name).or_default() += 1;
    }
    let mut heard: BTreeMap<String, u64> = BTreeMap::new();
    for (call, count) in seen {
        let by_path = ["s3", "route53"].iter().any(|it| call.split('/').nth(1) == Some(it));
        let name = if by_path { call.splitn(3, '/').take(2).collect::<Vec<_>>().join("/") } else { call };
        *heard.entry(name).or_default() += count;
    }
    let after = heard[&format!("{STANDBY}/s3")] - logged[&format!("{STANDBY}/s3")];
    assert!(unlogged.contains(&after), "{after} of {heard:?}");
    *logged.get_mut(&format!("{STANDBY}/s3")).expect("calls") += after;
    assert_eq!(logged, heard);
}

#[test]
fn the_call_log_is_what_the_servers_saw() {
    let Some(server) = Server::moto() else { return };
    seed(&server.boto());
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    server.find();
    apply(&machine);
    // After the log was closed, drstack stores the log itself and releases the lock.
    expect_logged(&server, 1..=3);
    server.find();
    server.black_out("hang");
    failover(&machine).unasked();
    // The log is stored twice, and the second one contains the first storing.
    expect_logged(&server, 1..=1);
}

#[test]
fn a_role_is_taken_on_in_the_standby_region() {
    let Some(server) = Server::moto() else { return };
    seed(&server.boto());
    let machine =
        crate::drstack::drstack().env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_PROFILE", "dr");
    // The profile's region is the primary's: it must not count for STS.
    machine.write(
        ".aws/config",
        "[profile dr]\nrole_arn = arn:aws:iam::123456789012:role/dr\nsource_profile = keys\nregion = us-east-1\n\
         [profile keys]\naws_access_key_id = test\naws_secret_access_key = test\n",
    );
    machine.write("s/stack.toml", &stack("warm"));
    server.find();
    machine.run(["plan", "s"]).ok();
    let calls = server.calls();
    let sts: Vec<&String> = calls.keys().filter(|call| call.contains("/sts/")).collect();
    assert_eq!(sts, [&format!("{STANDBY}/sts/AssumeRole")]);
}
