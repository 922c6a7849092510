//! Reserved capacity: unused in standby, used first by a failover, and unused again after the
//! failback.
//!
//! fakecloud has reservations, but neither server stores a group's use of them.
//! `tests/servers/reserve.py` stores what drstack sends and returns it to drstack and boto3. The
//! requests are tested; their effect on launches is AWS's.

use serde_json::Value;

use crate::drstack::{Drstack, drstack};

/// A stack of one pool.
pub(crate) fn one_pool(more: &str) -> String {
    format!(
        r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
control = "acme-control"

[network.standby]
cidr = "10.64.0.0/16"

[pool.inference]
follows = "serve"
network = "@network.standby"
{more}
"#
    )
}

/// Returns the reserved capacity of the pool's simulated group.
fn simulated(machine: &Drstack) -> Value {
    let path = machine.folder().join(".drstack/sim/world.json");
    let world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
    let groups = world["world"]["objects"]["group"]["us-west-2"].as_object().expect("groups");
    groups.values().next().expect("a group")["live"]["reserved"].clone()
}

#[test]
fn a_failover_uses_what_is_reserved_and_nothing_else_does() {
    let machine = drstack();
    let arn = "arn:aws:resource-groups:us-west-2:123456789012:group/gpus";
    machine.write("s/stack.toml", &one_pool(&format!("reservations = [\"cr-0abc\", \"{arn}\"]")));
    let run = |args: &[&str]| machine.run([&["--cloud", "sim"], args].concat());
    run(&["apply", "s", "--auto-approve"]).ok();
    let untouched = serde_json::json!({ "preference": "none" });
    assert_eq!(simulated(&machine), untouched);
    run(&["failover", "s", "--auto-approve"]).unasked();
    let first =
        serde_json::json!({ "preference": "capacity-reservations-first", "targets": [arn, "cr-0abc"] });
    assert_eq!(simulated(&machine), first);
    run(&["failback", "s", "--auto-approve"]).ok();
    assert_eq!(simulated(&machine), untouched);

    machine.write("s/stack.toml", &one_pool(""));
    run(&["apply", "s", "--auto-approve"]).ok();
    assert_eq!(simulated(&machine), Value::Null);
    run(&["plan", "s", "--detailed-exitcode"]).ok();
}

#[cfg(feature = "aws")]
mod servers {
    use serde_json::{Value, json};

    use super::one_pool;
    use crate::main_job::{apply, nothing_to_do};
    use crate::servers::{STANDBY, Server};

    const GROUP: &str = "drstack-fleet-pool-inference";

    /// Returns the group's reserved capacity as boto3 reads it.
    fn reserved(server: &Server) -> Value {
        server.boto().world(STANDBY, &["groups"])["groups"][GROUP]["reserved"].clone()
    }

    fn seed(server: &Server) -> String {
        let boto = server.boto();
        boto.seed(
            &json!([{ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 4 }]),
        );
        let there = json!({ "kind": "reservation", "name": "there", "type": "m5.large", "zone": "us-west-2a", "count": 2 });
        let made = boto.run("seed_primary", &json!({ "region": STANDBY, "objects": [there] }));
        made["there"]["id"].as_str().expect("an id").to_owned()
    }

    #[test]
    fn auto_scaling_is_told_to_take_what_is_reserved_first() {
        let Some(server) = Server::fakecloud(&[]) else { return };
        let id = seed(&server);
        let arn = "arn:aws:resource-groups:us-west-2:123456789012:group/gpus";
        let machine = server.drstack();
        machine.write("s/stack.toml", &one_pool(&format!("reservations = [\"{arn}\", \"{id}\"]")));
        server.find();
        apply(&machine);
        let asked = format!("{STANDBY}/ec2/DescribeCapacityReservations");
        assert_eq!(server.calls().get(&asked), Some(&1), "{:?}", server.calls());
        assert_eq!(reserved(&server), json!({ "CapacityReservationPreference": "none" }));
        nothing_to_do(&machine);

        server.find();
        server.black_out("hang");
        machine.run(["failover", "s", "--auto-approve"]).unasked();
        server.find();
        let targets =
            json!({ "CapacityReservationIds": [id], "CapacityReservationResourceGroupArns": [arn] });
        let first = json!({
            "CapacityReservationPreference": "capacity-reservations-first",
            "CapacityReservationTarget": targets,
        });
        assert_eq!(reserved(&server), first);
        nothing_to_do(&machine);
        machine.run(["failback", "s", "--auto-approve"]).ok();
        assert_eq!(reserved(&server), json!({ "CapacityReservationPreference": "none" }));

        machine.write("s/stack.toml", &one_pool(""));
        server.find();
        apply(&machine);
        assert_eq!(server.calls().get(&asked), None, "a pool without reservations asks for none");
        assert_eq!(reserved(&server), json!({ "CapacityReservationPreference": "default" }));
        nothing_to_do(&machine);
    }

    #[test]
    fn a_reservation_that_is_not_there_is_found_before_the_day() {
        let Some(server) = Server::fakecloud(&[]) else { return };
        let id = seed(&server);
        let machine = server.drstack();
        machine.write("s/stack.toml", &one_pool(&format!("reservations = [\"{id}\", \"cr-0abc\"]")));
        let ran = machine.run(["plan", "s"]).code(65);
        assert!(ran.stderr.contains("`cr-0abc` is not there in us-west-2"), "{ran:?}");
        assert_eq!(ran.stderr.matches("is not there").count(), 1, "{ran:?}");

        let other = "instance_types = [\"c5.large\"]";
        machine.write("s/stack.toml", &one_pool(&format!("{other}\nreservations = [\"{id}\"]")));
        let ran = machine.run(["plan", "s"]).ok();
        assert!(ran.stderr.contains("is for m5.large, which the pool does not run"), "{ran:?}");
    }
}
