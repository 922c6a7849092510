//! A plan predicts the failover by a simulation of the schedule, and holds it against the RTOs.

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran, drstack};

/// More pools than slots: 200 in 64 slots are raised in four waves of three minutes.
pub(crate) const POOLS: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
rto     = "15m"

[network.standby]
cidr = "10.64.0.0/16"

[inputs]
pools = { type = "integer", default = 200 }

[pool.serving]
for_each       = "${input.pools}"
image          = "ami-own"
instance_types = ["g5.xlarge"]
capacity       = 2
network        = "@network.standby"
"#;

fn machine(text: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", text);
    machine
}

fn plan(machine: &Drstack, more: &[&str]) -> Ran {
    machine.run([&["plan", "s", "--cloud", "sim"], more].concat())
}

fn forecast(machine: &Drstack) -> Value {
    let lines = plan(machine, &["--json"]).ok().json();
    lines.iter().find(|line| line["type"] == "plan").expect("a plan")["forecast"].clone()
}

#[test]
fn what_waits_for_a_slot_counts() {
    let machine = machine(POOLS);
    let unasked = plan(&machine, &["--require-rto"]).code(3);
    assert!(unasked.stderr.contains("no failover meets an RTO while a check is missing"), "{unasked:?}");
    let shown = plan(&machine, &[]).ok();
    assert!(
        shown.stdout.contains(
            "would take about 12m 0s, in 200 steps (RTO 15m: met; of it 9m 0s for one of 64 slots to be free; typical AWS times"
        ),
        "{shown:?}"
    );
    assert!(!shown.stderr.contains("DR241"), "{shown:?}");
    let forecast = forecast(&machine);
    let field = |name: &str| forecast[name].clone();
    assert_eq!(field("total_seconds"), json!(720.0));
    assert_eq!((field("queued_seconds"), field("launching_seconds")), (json!(540.0), json!(0.0)));
    assert_eq!((field("rto_seconds"), field("meets_rto")), (json!(900), json!(true)));
    assert_eq!(field("basis"), json!("typical AWS times, not measured in your account"));
    let components = forecast["components"].as_array().expect("components");
    let at = |seconds: f64| components.iter().filter(|it| it["seconds"] == seconds).count();
    assert_eq!([180.0, 360.0, 540.0, 720.0].map(at), [64, 64, 64, 8]);
}

#[test]
fn an_rto_that_the_prediction_misses_is_a_finding_and_an_exit_code() {
    let machine = machine(&POOLS.replace("15m", "10m"));
    let shown = plan(&machine, &[]).ok();
    assert!(shown.stdout.contains("(RTO 10m: MISSED; "), "{shown:?}");
    assert!(
        shown
            .stderr
            .contains("warning[DR241]: a failover is predicted to take 12m, and the RTO is 10m (typical"),
        "{shown:?}"
    );
    let required = plan(&machine, &["--require-rto"]).code(3);
    assert!(required.stderr.contains("predicted to take 12m 0s and misses an RTO"), "{required:?}");
    let applied = machine.run(["apply", "s", "--cloud", "sim", "--auto-approve", "-i", "pools=193"]).ok();
    assert_eq!(applied.stderr.matches("DR241").count(), 1, "{applied:?}");
    // The failover itself is the prediction's plan, with the slots that it is given.
    let failover = |slots: &str| {
        let shown = machine.run([
            "failover",
            "s",
            "--cloud",
            "sim",
            "-i",
            "pools=193",
            "--dry-run",
            "--parallelism",
            slots,
        ]);
        shown.ok().stdout
    };
    assert!(failover("64").contains("Estimated time: 12m 0s (RTO 10m: MISSED; "), "{}", failover("64"));
    assert!(failover("200").contains("Estimated time: 3m 0s (RTO 10m: met; "), "{}", failover("200"));
}

#[test]
fn each_component_is_held_against_its_own_rto() {
    let own = POOLS.replace("for_each  ", "rto = \"10m\"\nfor_each  ");
    let machine = machine(&own);
    let shown = plan(&machine, &[]).ok();
    assert!(shown.stdout.contains("(RTO 15m: met; own RTO of 8 components: MISSED; "), "{shown:?}");
    assert!(
        shown.stderr.contains(
            "predicted to miss RTOs of components: pool.serving[\"192\"] serves after 12m, RTO 10m"
        ),
        "{shown:?}"
    );
    assert!(shown.stderr.contains(", and 3 more (typical"), "{shown:?}");
    plan(&machine, &["--require-rto"]).code(3);
    let forecast = forecast(&machine);
    assert_eq!(forecast["meets_rto"], false);
    let late = forecast["components"].as_array().expect("components");
    let late: Vec<&Value> = late.iter().filter(|it| it["meets_rto"] == false).collect();
    assert_eq!((late.len(), late[0]["rto_seconds"].clone()), (8, json!(600)));
}

#[test]
fn what_waits_for_launches_counts() {
    let text = POOLS.replace("\"warm\"", "\"pilot-light\"").replace("\"15m\"", "\"40m\"");
    let machine = machine(&text.replace("default = 200", "default = 1").replace("= 2\n", "= 2300\n"));
    let shown = plan(&machine, &[]).ok();
    assert!(
        shown.stdout.contains(
            "would take about 13m 50s, in 1 step (RTO 40m: met; of it 10m 50s for EC2's launch budget to refill; typical"
        ),
        "{shown:?}"
    );
}

#[test]
fn a_required_rto_has_to_exist() {
    let machine = machine(&POOLS.replace("rto     = \"15m\"\n", ""));
    let required = plan(&machine, &["--require-rto"]).code(3);
    assert!(required.stderr.contains("the stack asks for no RTO"), "{required:?}");
    assert_eq!(forecast(&machine)["meets_rto"], Value::Null);
}
