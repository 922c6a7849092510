//! E8: a table that is global already is used as it is, and stays so.

use crate::drstack::{Drstack, Ran, drstack};

const STACK: &str = r#"
[stack]
name    = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
control = "demo-control"

[table.features]
name  = "acme-features"
adopt = true

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows        = "serve"
network        = "@network.standby"
instance_types = ["g5.xlarge"]
capacity       = 8
tables         = ["@table.features"]

[fence.writers]
deny_writers = ["writers"]
tables       = ["@table.features"]
"#;

const TABLE: &str = "table.features/";

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

fn table_steps(ran: &Ran) -> usize {
    let of = |line: &serde_json::Value| {
        line["event"] == "step_finished" && line["address"].as_str().is_some_and(|it| it.starts_with(TABLE))
    };
    ran.json().iter().filter(|line| of(line)).count()
}

#[test]
fn a_global_table_is_used_as_it_is_from_apply_to_destroy() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    let applied = run(&machine, "apply s --auto-approve --json").ok();
    assert_eq!(table_steps(&applied), 0, "{applied:?}");
    run(&machine, "plan s --detailed-exitcode").code(0);
    let over = run(&machine, "failover s --auto-approve --json").unasked();
    assert_eq!(table_steps(&over), 0, "{over:?}");
    let back = run(&machine, "failback s --auto-approve --json").ok();
    assert_eq!(table_steps(&back), 0, "{back:?}");
    // A planned failover waits for what is written to it.
    let planned = run(&machine, "failover s --planned --auto-approve").unasked();
    assert!(planned.stderr.contains("table.features: nothing to arrive"), "{planned:?}");
    run(&machine, "failback s --auto-approve").ok();
    let destroyed = run(&machine, "destroy s --auto-approve").ok();
    assert!(destroyed.stdout.contains("global-table of `acme-features` stays as it is"), "{destroyed:?}");
}

/// The settings of the sim say that the primary's table has no replica.
#[test]
fn a_table_without_a_replica_is_not_adopted() {
    let machine = drstack();
    let sim = "\n[sim.answers]\n\"primary/table/acme-features\" = { replicas = [] }\n";
    machine.write("s/stack.toml", &format!("{STACK}{sim}"));
    let refused = run(&machine, "plan s").code(65);
    assert!(refused.stderr.contains("error[DR244]"), "{refused:?}");
    assert!(refused.stderr.contains("has no replica in us-west-2, and `adopt` makes none"), "{refused:?}");
    machine.write("s/stack.toml", &format!("{STACK}{}", sim.replace("[]", "[\"us-west-2\"]")));
    run(&machine, "plan s").ok();
}

/// A replica that the stack made and its file adopts since is nobody's to delete.
#[test]
fn a_replica_of_the_stack_that_is_adopted_since_is_handed_over() {
    let machine = drstack();
    let head = STACK.split("[table.").next().unwrap_or_default();
    let table = format!("{head}[table.orders]\nname = \"acme-orders\"\n");
    machine.write("s/stack.toml", &table);
    run(&machine, "apply s --auto-approve").ok();
    machine.write("s/stack.toml", &format!("{table}adopt = true\n"));
    let plan = run(&machine, "plan s --delete-data table.orders/table-replica --detailed-exitcode");
    assert!(
        plan.stdout.contains("No changes.") && plan.stdout.contains("`--delete-data` deletes nothing"),
        "{plan:?}"
    );
    run(&machine, "apply s --auto-approve --delete-data table.orders/table-replica").ok();
    let destroyed = run(&machine, "destroy s --auto-approve --delete-data table.orders").ok();
    assert!(!destroyed.stdout.contains("deleted table.orders"), "{destroyed:?}");
    // The next stack file that makes it finds it there.
    machine.write("s/stack.toml", &table);
    let plan = run(&machine, "plan s").ok();
    assert!(!plan.stdout.contains("+ table-replica"), "{plan:?}");
}
