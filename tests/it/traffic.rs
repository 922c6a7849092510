//! Traffic against moto, for the life of a pair of records, and fakecloud, for DNS that follows.

use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::main_job::{apply, expected, nothing_to_do, steps, values};
use crate::servers::{Boto, PRIMARY, STANDBY, Server, Web};

mod weighted;

/// The name that users resolve.
const RECORD: &str = "api.routing.example.com";
/// Name of its alarm, which also names the switch.
const ALARM: &str = "drstack-fleet-traffic-api";

fn stack(more: &str) -> String {
    format!(
        r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
control = "acme-control"

[traffic.api]
zone           = "routing.example.com"
record         = "api"
primary_target = "alb-east.example.com"
standby_target = "alb-west.example.com"
probe          = "https://{RECORD}/healthz"
{more}
"#
    )
}

const ADOPT: &str = "adopt = true";

/// Creates a zone with records of others, and the record that leads to the primary.
fn seed(boto: &Boto<'_>) -> String {
    seed_leading_to(boto, "alb-east.example.com")
}

fn seed_leading_to(boto: &Boto<'_>, primary: &str) -> String {
    let made = boto.seed(&json!([{ "kind": "zone", "name": "routing.example.com", "records": [
        { "name": RECORD, "type": "CNAME", "ttl": 300, "values": [primary] },
        { "name": "routing.example.com", "type": "MX", "ttl": 3600, "values": ["10 mail.example.com"] },
        { "name": "api2.routing.example.com", "type": "CNAME", "ttl": 60, "values": ["alb-east.example.com"] },
        { "name": "www.routing.example.com", "type": "CNAME", "ttl": 60, "values": ["one.example.com"], "set": "a" },
        { "name": "www.routing.example.com", "type": "CNAME", "ttl": 60, "values": ["two.example.com"], "set": "b" },
    ]}]));
    made["routing.example.com"]["id"].as_str().expect("an id").to_owned()
}

/// Returns the records of the name, and all others of the zone.
fn records(boto: &Boto<'_>, zone: &str) -> (Vec<Value>, Vec<Value>) {
    let world = boto.world(STANDBY, &["zones"]);
    let all = world["zones"][zone].as_array().expect("records").clone();
    all.into_iter().partition(|it| it["Name"] == format!("{RECORD}."))
}

fn with_alarm(machine: &Drstack, more: &str) -> Vec<(String, String)> {
    machine.write("s/stack.toml", &stack(more));
    steps(&apply(machine)).into_iter().collect()
}

/// Returns the id of the health check of this resource.
fn check(boto: &Boto<'_>, resource: &str) -> String {
    let world = boto.world(STANDBY, &["health_checks"]);
    let checks = world["health_checks"].as_object().expect("checks");
    let address = format!("traffic.api/{resource}");
    let found = checks.iter().find(|(_, check)| check["tags"]["drstack:address"] == address);
    found.unwrap_or_else(|| panic!("{resource} in {world:#}")).0.clone()
}

fn expect_checks(boto: &Boto<'_>, zone: &str) {
    let world = boto.world(STANDBY, &["health_checks", "alarms"]);
    let alarm = &world["alarms"][ALARM];
    assert_eq!((&alarm["Statistic"], &alarm["Period"]), (&json!("Maximum"), &json!(60)));
    assert_eq!((&alarm["Threshold"], &alarm["TreatMissingData"]), (&json!(1.0), &json!("ignore")));
    assert_eq!((&alarm["EvaluationPeriods"], &alarm["Namespace"]), (&json!(1), &json!("drstack")));
    assert_eq!(alarm["ComparisonOperator"], "GreaterThanOrEqualToThreshold");
    assert_eq!(alarm["tags"]["drstack:stack"], "fleet");
    assert_eq!(values(&world["health_checks"]).len(), 3);
    let of = |resource: &str| world["health_checks"][check(boto, resource)].clone();
    let endpoint = of("endpoint-check");
    assert_eq!((&endpoint["Type"], &endpoint["ResourcePath"]), (&json!("HTTPS"), &json!("/healthz")));
    assert_eq!(endpoint["FullyQualifiedDomainName"], "alb-east.example.com", "never the record itself");
    let switched = of("alarm-check");
    assert_eq!(switched["AlarmIdentifier"], json!({ "Name": ALARM, "Region": STANDBY }));
    assert_eq!(switched["InsufficientDataHealthStatus"], "LastKnownStatus");
    let both = of("primary-check");
    let mut children = [check(boto, "alarm-check"), check(boto, "endpoint-check")];
    children.sort();
    let mut found: Vec<String> =
        serde_json::from_value(both["ChildHealthChecks"].clone()).expect("ids of checks");
    found.sort();
    assert_eq!((&both["HealthThreshold"], &found[..]), (&json!(2), &children[..]));
    assert_eq!(both["tags"]["drstack:record"], format!("{zone}/{RECORD}"));
}

fn expect_pair(boto: &Boto<'_>, zone: &str) {
    let (pair, _) = records(boto, zone);
    let side =
        |failover: &str| pair.iter().find(|it| it["Failover"] == failover).expect("both sides").clone();
    assert_eq!(pair.len(), 2, "{pair:#?}");
    let (primary, secondary) = (side("PRIMARY"), side("SECONDARY"));
    assert_eq!(primary["SetIdentifier"], "drstack-fleet-traffic.api-primary");
    assert_eq!(secondary["SetIdentifier"], "drstack-fleet-traffic.api-secondary");
    assert_eq!(primary["ResourceRecords"][0]["Value"], "alb-east.example.com");
    assert_eq!(secondary["ResourceRecords"][0]["Value"], "alb-west.example.com");
    assert_eq!(primary["HealthCheckId"], check(boto, "primary-check"));
    assert!(
        secondary["HealthCheckId"].as_str().is_none_or(str::is_empty),
        "never both sides off: {secondary}"
    );
}

/// The resources that a stack with traffic creates.
const MADE: [(&str, &str); 5] = [
    ("create", "traffic.api/alarm"),
    ("create", "traffic.api/alarm-check"),
    ("create", "traffic.api/dns-record"),
    ("create", "traffic.api/endpoint-check"),
    ("create", "traffic.api/primary-check"),
];

#[test]
fn a_record_is_sealed_kept_and_put_back() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let zone = seed(&boto);
    let (before, others) = records(&boto, &zone);
    let machine = server.drstack();

    machine.write("s/stack.toml", &stack(""));
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(65);
    assert!(ran.stderr.contains("DR252") && ran.stderr.contains("adopt = true"), "{ran:?}");
    assert_eq!(records(&boto, &zone), (before.clone(), others.clone()));

    let made: Vec<(String, String)> = expected(&MADE).into_iter().collect();
    assert_eq!(with_alarm(&machine, ADOPT), made);
    expect_checks(&boto, &zone);
    expect_pair(&boto, &zone);
    assert_eq!(records(&boto, &zone).1, others);
    nothing_to_do(&machine);
    let elsewhere = server.drstack();
    // The record is the stack's now, so nothing is left to adopt.
    elsewhere.write("s/stack.toml", &stack(""));
    nothing_to_do(&elsewhere);

    // One change by hand is one step that fixes it.
    let mends = |change: &str, name: &str, more: Value, address: &str| {
        boto.drift(STANDBY, change, name, more);
        assert_eq!(steps(&apply(&machine)), expected(&[("update", address)]), "{change}");
        nothing_to_do(&machine);
    };
    let path = json!({ "path": "/other" });
    mends("check-path", &check(&boto, "endpoint-check"), path, "traffic.api/endpoint-check");
    mends("alarm-period", ALARM, json!({}), "traffic.api/alarm");
    expect_checks(&boto, &zone);

    // The name changes: the new pair is created, and the old name leads to the primary by a single
    // record.
    let moved = stack("").replace("record         = \"api\"", "record         = \"v2\"");
    machine.write("s/stack.toml", &moved);
    apply(&machine);
    nothing_to_do(&machine);
    let (left, _) = records(&boto, &zone);
    assert_eq!((left.len(), &left[0]["ResourceRecords"]), (1, &before[0]["ResourceRecords"]));
    machine.write("s/stack.toml", &stack(ADOPT));
    apply(&machine);
    expect_pair(&boto, &zone);

    // A component that is no longer in the stack is deleted whole, and so is a stack.
    let without = stack("").split("[traffic.api]").next().expect("a head").to_owned();
    let bucket = "[network.n]\nvpc = \"vpc-1\"\nsubnets = [\"subnet-1\"]\n";
    machine.write("s/stack.toml", &format!("{without}{bucket}"));
    let gone: Vec<(&str, &str)> = MADE.iter().map(|(_, address)| ("delete", *address)).collect();
    // Nothing is left of what the stack had, which `--auto-approve` alone does not do.
    machine.run(["plan", "s", "--out", "gone.plan"]).ok();
    let ran = machine.run(["apply", "gone.plan", "--json"]).ok();
    assert_eq!(steps(&ran), expected(&gone));
    nothing_to_do(&machine);
    with_alarm(&machine, ADOPT);
    machine.run(["destroy", "s", "--auto-approve", "--delete-data", "control"]).ok();
    let (after, rest) = records(&boto, &zone);
    let v2 = |it: &&Value| it["Name"] != "v2.routing.example.com.";
    assert_eq!(rest.iter().filter(v2).collect::<Vec<_>>(), others.iter().collect::<Vec<_>>());
    assert_eq!((after.len(), &after[0]["ResourceRecords"]), (1, &before[0]["ResourceRecords"]));
    assert_eq!(after[0]["SetIdentifier"], Value::Null);
    let left = boto.world(STANDBY, &["alarms", "health_checks"]);
    assert_eq!(left, json!({ "alarms": {}, "health_checks": {} }));
}

#[test]
fn records_that_are_no_simple_one_are_never_adopted() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let zone = seed(&boto);
    let before = records(&boto, &zone);
    let machine = server.drstack();
    machine
        .write("s/stack.toml", &stack(ADOPT).replace("record         = \"api\"", "record         = \"www\""));
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(65);
    assert!(ran.stderr.contains("DR252"), "{ran:?}");
    machine.write("s/stack.toml", &stack("").replace("\"routing.example.com\"", "\"nowhere.example.net\""));
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(65);
    assert!(ran.stderr.contains("DR251"), "{ran:?}");
    assert_eq!(records(&boto, &zone), before);
}

#[test]
fn dns_follows_the_switch() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    let boto = server.boto();
    let zone = seed(&boto);
    let machine = server.drstack();
    with_alarm(&machine, ADOPT);
    expect_checks(&boto, &zone);
    expect_pair(&boto, &zone);
    nothing_to_do(&machine);

    let ask = json!({ "region": PRIMARY, "do": "answer", "zone": zone, "record": RECORD });
    let answer = || boto.run("traffic", &ask)["answer"].clone();
    let tell = |status: &str| {
        let check = check(&boto, "primary-check");
        boto.run("traffic", &json!({ "region": PRIMARY, "do": "status", "check": check, "status": status }));
    };
    assert_eq!(answer(), json!(["alb-east.example.com"]));

    // A failover would write the metric and check that the standby answers.
    let switch = expected(&[("update", "traffic.api/traffic-switch")]);
    let watch = ("create", "traffic.api/answer");
    let ran = machine.run(["plan", "s", "--mode", "active", "--json"]).ok();
    assert_eq!(steps(&ran), expected(&[watch, ("update", "traffic.api/traffic-switch")]), "{ran:?}");
    let write = |value: f64, ago: u32| {
        let datum = json!({ "region": STANDBY, "do": "write", "stack": "fleet", "traffic": "traffic-api", "value": value, "ago": ago });
        boto.run("traffic", &datum);
    };
    let alarm = || boto.world(STANDBY, &["alarms"])["alarms"][ALARM]["StateValue"].clone();
    // A value written at the end of a minute does not belong to the minute that the alarm
    // evaluates.
    let is_raised = || {
        write(1.0, 0);
        alarm() == "ALARM"
    };
    assert!((0..3).any(|_| is_raised()), "{}", alarm());
    // fakecloud's checks follow no alarm and no other check, so the test sets what Route 53 would
    // find.
    tell("Failure");
    assert_eq!(answer(), json!(["alb-west.example.com"]));
    let ran = machine.run(["plan", "s", "--mode", "active", "--json"]).ok();
    assert_eq!(steps(&ran), expected(&[watch]), "{ran:?}");

    // No record shows a failover: the operator has to say which region serves.
    machine.run(["apply", "s", "--auto-approve"]).code(3);
    // The primary serves, so the metric is written back: in the next minute, since this one holds a
    // 1.
    let ran = machine.run(["failback", "s", "--auto-approve", "--json"]).ok();
    assert_eq!(steps(&ran), switch);
    assert_eq!(alarm(), "OK");
    tell("Success");
    assert_eq!(answer(), json!(["alb-east.example.com"]));
    nothing_to_do(&machine);

    machine.run(["destroy", "s", "--auto-approve", "--delete-data", "control"]).ok();
    assert_eq!(answer(), json!(["alb-east.example.com"]), "the name is answered after all is gone");
}

/// The record's name leads nowhere from here, so only the standby's own host can have answered, for
/// the record's name.
#[test]
fn a_failover_waits_until_the_standby_answers_for_the_record() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    seed(&boto);
    let machine = server.drstack();
    let Some(web) = Web::start(RECORD, machine.folder(), "503x2,200") else { return };
    let authority = machine.folder().join("ca.pem").display().to_string();
    let machine = machine.env("SSL_CERT_FILE", &authority);
    let text = stack(ADOPT).replace("alb-west.example.com", "alb-west.localhost");
    machine.write("s/stack.toml", &text.replace("/healthz", &format!(":{}/healthz", web.port)));
    apply(&machine);
    // moto evaluates no alarms.
    boto.run("traffic", &json!({ "region": STANDBY, "do": "alarm", "alarm": ALARM, "state": "ALARM" }));
    server.find();
    server.black_out("hang");
    let ran = machine.run(["failover", "s", "--auto-approve", "--json"]).ok();
    let made = expected(&[("create", "traffic.api/answer"), ("update", "traffic.api/traffic-switch")]);
    assert_eq!(steps(&ran), made);
    let asked = std::fs::read_to_string(machine.folder().join("asked")).expect("it was asked");
    let once = format!("{RECORD} {RECORD}:{} /healthz\n", web.port);
    assert_eq!(asked, once.repeat(3), "twice it was busy");
}

/// Creates a zone whose own name has records of other types, and an alias that leads to the
/// primary.
fn seed_apex(boto: &Boto<'_>) -> String {
    let zone = "routing.example.com";
    let made = boto.seed(&json!([{ "kind": "zone", "name": zone, "records": [
        { "name": zone, "type": "A", "alias": ["lb-1.us-east-1.elb.amazonaws.com", "Z35SXDOTRQ7X7K"] },
        { "name": zone, "type": "MX", "ttl": 3600, "values": ["10 mail.example.com"] },
    ]}]));
    made[zone]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_zones_own_name_leads_to_load_balancers_by_alias() {
    for server in [Server::moto(), Server::fakecloud(&[])] {
        let Some(server) = server else { continue };
        let (boto, machine) = (server.boto(), server.drstack());
        let zone = seed_apex(&boto);
        let records = || {
            let all = boto.world(STANDBY, &["zones"])["zones"][&zone].as_array().expect("records").clone();
            let (of_a, others): (Vec<Value>, Vec<Value>) = all.into_iter().partition(|it| it["Type"] == "A");
            (of_a, others)
        };
        let (before, others) = records();
        let by_alias = |more: &str| {
            let text = stack(more).replace("\"api\"", "\"\"").replace(RECORD, "routing.example.com");
            let text = text.replace(
                "\"alb-east.example.com\"",
                "{ alias = \"lb-1.us-east-1.elb.amazonaws.com\", zone = \"Z35SXDOTRQ7X7K\" }",
            );
            text.replace(
                "\"alb-west.example.com\"",
                "{ alias = \"lb-2.us-west-2.elb.amazonaws.com\", zone = \"Z1H1FL5HABSF5\" }",
            )
        };
        machine.write("s/stack.toml", &by_alias(""));
        let ran = machine.run(["apply", "s", "--auto-approve"]).code(65);
        assert!(ran.stderr.contains("DR252") && ran.stderr.contains("alias of lb-1"), "{ran:?}");
        assert_eq!(records(), (before.clone(), others.clone()));

        for more in [ADOPT, "adopt = true\npolicy = \"weighted\"\nstandby_share = \"10%\""] {
            machine.write("s/stack.toml", &by_alias(more));
            apply(&machine);
            nothing_to_do(&machine);
            let (pair, rest) = records();
            assert_eq!((pair.len(), &rest), (2, &others), "{pair:#?}");
            for (end, name, of) in [
                ("-primary", "lb-1.us-east-1.elb.amazonaws.com", "Z35SXDOTRQ7X7K"),
                ("-secondary", "lb-2.us-west-2.elb.amazonaws.com", "Z1H1FL5HABSF5"),
            ] {
                let side =
                    pair.iter().find(|it| it["SetIdentifier"].as_str().is_some_and(|id| id.ends_with(end)));
                let side = side.unwrap_or_else(|| panic!("{end}: {pair:#?}"));
                let alias = &side["AliasTarget"];
                assert_eq!(alias["DNSName"].as_str().map(|it| it.trim_end_matches('.')), Some(name));
                assert_eq!(
                    (&alias["HostedZoneId"], &alias["EvaluateTargetHealth"]),
                    (&json!(of), &json!(false))
                );
                assert_eq!(
                    side["HealthCheckId"].as_str().is_some_and(|it| !it.is_empty()),
                    end == "-primary"
                );
                let by = if more == ADOPT { "Failover" } else { "Weight" };
                assert!(!side[by].is_null(), "{side:#}");
            }
        }
        machine.run(["destroy", "s", "--auto-approve", "--delete-data", "control"]).ok();
        let (left, rest) = records();
        assert_eq!((left.len(), rest), (1, others), "{left:#?}");
        assert_eq!(left[0]["SetIdentifier"], Value::Null);
        let to = left[0]["AliasTarget"]["DNSName"].as_str().map(|it| it.trim_end_matches('.'));
        assert_eq!(to, Some("lb-1.us-east-1.elb.amazonaws.com"));
    }
}
