//! Both regions answer, by weight: the pair of records, and traffic that moves share by share.

use std::time::Instant;

use serde_json::{Value, json};

use super::{ADOPT, ALARM, RECORD, expect_pair, records, seed, seed_leading_to, stack, with_alarm};
use crate::lost_region::report;
use crate::main_job::{apply, expected, nothing_to_do, steps};
use crate::servers::{Boto, STANDBY, Server, Web};

/// Returns the weights of the primary's and of the standby's record.
fn weights(boto: &Boto<'_>, zone: &str) -> (Value, Value) {
    let (pair, _) = records(boto, zone);
    let weight = |end: &str| {
        let side = pair.iter().find(|it| it["SetIdentifier"].as_str().is_some_and(|id| id.ends_with(end)));
        side.unwrap_or_else(|| panic!("{pair:#?}"))["Weight"].clone()
    };
    assert_eq!(pair.len(), 2, "{pair:#?}");
    (weight("-primary"), weight("-secondary"))
}

/// Counts the changes of records since the counts began.
fn changes(server: &Server) -> u64 {
    let calls = server.calls();
    calls
        .iter()
        .filter(|(call, _)| call.contains("/POST ") && call.ends_with("/rrset"))
        .map(|(_, count)| count)
        .sum()
}

#[test]
fn a_pair_becomes_one_by_weight_and_back() {
    for server in [Server::moto(), Server::fakecloud(&[])] {
        let Some(server) = server else { continue };
        let (boto, machine) = (server.boto(), server.drstack());
        let zone = seed(&boto);
        with_alarm(&machine, ADOPT);
        expect_pair(&boto, &zone);
        let by_weight = |share: &str| format!("{ADOPT}\npolicy = \"weighted\"\nstandby_share = \"{share}\"");
        let record = ("update", "traffic.api/dns-record");
        let steps = with_alarm(&machine, &by_weight("10%"));
        let made: Vec<_> = expected(&[("create", "traffic.api/dns-weights"), record]).into_iter().collect();
        assert_eq!(steps, made);
        assert_eq!(weights(&boto, &zone), (json!(90), json!(10)));
        nothing_to_do(&machine);
        // The weights are one resource, the records' targets another.
        let steps = with_alarm(&machine, &by_weight("25%"));
        assert_eq!(steps, expected(&[("update", "traffic.api/dns-weights")]).into_iter().collect::<Vec<_>>());
        assert_eq!(weights(&boto, &zone), (json!(75), json!(25)));
        machine.write("s/stack.toml", &stack(&by_weight("25%")).replace("alb-west", "alb-west2"));
        apply(&machine);
        assert_eq!(weights(&boto, &zone), (json!(75), json!(25)));
        with_alarm(&machine, ADOPT);
        expect_pair(&boto, &zone);
        nothing_to_do(&machine);
        with_alarm(&machine, &by_weight("10%"));
        machine.run(["destroy", "s", "--auto-approve", "--delete-data", "control"]).ok();
        let (left, _) = records(&boto, &zone);
        assert_eq!(
            (left.len(), &left[0]["ResourceRecords"][0]["Value"]),
            (1, &json!("alb-east.example.com"))
        );
        assert_eq!(left[0]["SetIdentifier"], Value::Null);
    }
}

/// The web server plays both sides: the standby in the failover, and the primary while it gets its
/// share back.
#[test]
fn a_failback_gives_the_primary_its_share_back_step_by_step() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let zone = seed_leading_to(&boto, "alb-east.localhost");
    let machine = server.drstack();
    // One answer in the failover, twenty at 0 %; at 5 % it is busy, twice, and well from then on.
    let Some(web) = Web::start(RECORD, machine.folder(), "200x21,503x2,200") else { return };
    let authority = machine.folder().join("ca.pem").display().to_string();
    let machine = machine.env("SSL_CERT_FILE", &authority);
    let ramp = "policy = \"weighted\"\nramp = [\"5%\", \"25%\", \"100%\"]\nramp_pause = \"1s\"\nadopt = true";
    let text = stack(ramp).replace("alb-east.example.com", "alb-east.localhost");
    let text = text.replace("alb-west.example.com", "alb-west.localhost");
    machine.write("s/stack.toml", &text.replace("/healthz", &format!(":{}/healthz", web.port)));
    apply(&machine);
    nothing_to_do(&machine);
    let (serves, alone) = ((json!(100), json!(0)), (json!(0), json!(100)));
    assert_eq!(weights(&boto, &zone), serves);
    // moto evaluates no alarms.
    let alarm = |state: &str| {
        boto.run("traffic", &json!({ "region": STANDBY, "do": "alarm", "alarm": ALARM, "state": state }));
    };
    alarm("ALARM");
    server.black_out("hang");
    machine.run(["failover", "s", "--auto-approve"]).ok();
    server.find();
    assert_eq!(weights(&boto, &zone), serves, "a failover calls Route 53 not at all");
    alarm("OK");

    // The share goes to 0 %, to 5 %, and back to 0 % because the server was busy.
    server.find();
    let failed = machine.run(["failback", "s", "--auto-approve"]).code(1);
    assert!(failed.stderr.contains("with a share of 5 %: 2 of 2 probes failed"), "{failed:?}");
    assert!(failed.stderr.contains("hint: fix what it names, then run"), "{failed:?}");
    assert_eq!((changes(&server), weights(&boto, &zone)), (3, alone));

    // The failback goes on from there: 5 %, 25 %, 100 %.
    server.find();
    machine.run(["failback", "s", "--auto-approve"]).ok();
    assert_eq!((changes(&server), weights(&boto, &zone)), (3, serves));
    let asked = std::fs::read_to_string(machine.folder().join("asked")).expect("it was asked");
    assert_eq!(asked.lines().count(), 1 + 20 + 2 + 4 * 20, "before each share, and once it had all");
    assert!(server.calls().keys().any(|call| call.ends_with("/GET healthcheck/*/*")), "{:?}", server.calls());
    // moto's minutes begin with the request: the 1 of the failover may fall into the minute of the
    // 0.
    let left = steps(&machine.run(["plan", "s", "--json"]).ok());
    assert!(left.is_subset(&expected(&[("update", "traffic.api/traffic-switch")])), "{left:?}");
}

/// The web server plays the standby region, which gets traffic that the primary could still answer.
#[test]
fn a_planned_failover_gives_the_standby_its_share_step_by_step() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let zone = seed(&boto);
    let machine = server.drstack();
    // Twenty answers before it gets any traffic; with 19 % it is busy, twice, and well from then
    // on.
    let Some(web) = Web::start(RECORD, machine.folder(), "200x20,503x2,200") else { return };
    let authority = machine.folder().join("ca.pem").display().to_string();
    let machine = machine.env("SSL_CERT_FILE", &authority);
    let ramp = "policy = \"weighted\"\nstandby_share = \"10%\"\nramp = [\"10%\", \"100%\"]\nramp_pause = \"1s\"\nadopt = true";
    let text = stack(ramp).replace("alb-west.example.com", "alb-west.localhost");
    machine.write("s/stack.toml", &text.replace("/healthz", &format!(":{}/healthz", web.port)));
    apply(&machine);
    let (serves, alone) = ((json!(90), json!(10)), (json!(0), json!(100)));
    assert_eq!(weights(&boto, &zone), serves);

    // The standby gets 19 %, and goes back to 10 % because it was busy. The traffic switch is not
    // written.
    server.find();
    let failed = machine.run(["failover", "s", "--planned", "--auto-approve"]).code(1);
    let why = "the standby region does not answer well with a share of 19 %: 2 of 2 probes failed";
    assert!(failed.stderr.contains(why), "{failed:?}");
    assert!(failed.stderr.contains("the primary has its 90 % again"), "{failed:?}");
    assert!(!failed.stderr.contains("changed traffic.api/traffic-switch"), "{failed:?}");
    assert_eq!((changes(&server), weights(&boto, &zone)), (2, serves));

    // moto evaluates no alarms.
    boto.run("traffic", &json!({ "region": STANDBY, "do": "alarm", "alarm": ALARM, "state": "ALARM" }));
    server.find();
    let begin = Instant::now();
    let ran = machine.run(["failover", "s", "--planned", "--auto-approve", "--json"]).ok();
    let took = begin.elapsed().as_secs_f64();
    assert_eq!((changes(&server), weights(&boto, &zone)), (2, alone));
    // One second before each of two shares and one after. The primary served then, so they do not
    // count as recovery.
    let report = report(&ran);
    let seconds = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("no {name}: {report:#}"));
    let (ramped, recovery) = (seconds("ramped_seconds"), seconds("recovery_seconds"));
    assert!(ramped >= 3.0 && recovery > 0.0 && recovery + ramped < took, "{took} s: {report:#}");
    let order = ran.json();
    let at = |address: &str| {
        let is = |it: &Value| it["event"] == "step_finished" && it["address"] == address;
        order.iter().position(is).unwrap_or_else(|| panic!("no {address}: {ran:?}"))
    };
    assert!(at("traffic.api/dns-weights") < at("traffic.api/traffic-switch"), "{ran:?}");
    let asked = std::fs::read_to_string(machine.folder().join("asked")).expect("it was asked");
    assert_eq!(asked.lines().count(), 20 + 2 + 3 * 20 + 1, "at 10, 19 and 100 %, and once all is moved");
}
