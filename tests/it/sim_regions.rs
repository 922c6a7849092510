//! The sim has one account, and each of its regions is what it is in AWS.

use crate::drstack::drstack;

const HEAD: &str = "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\ncontrol = \"demo-control\"\n";

/// A simulated world that began with other regions has zones in each of them.
#[test]
fn each_region_of_a_simulated_world_has_zones() {
    let network = "[network.standby]\ncidr = \"10.64.0.0/16\"\n";
    let machine = drstack();
    let regions = ["us-west-2", "eu-west-1"];
    for (number, region) in regions.iter().enumerate() {
        let head = HEAD.replace("us-west-2", region).replace("demo", &format!("demo-{number}"));
        machine.write(&format!("s{number}/stack.toml"), &format!("{head}{network}"));
        let folder = format!("s{number}");
        machine.run(["apply", &folder, "--auto-approve", "--cloud", "sim"]).ok();
        let world = machine.folder().join(".drstack/sim/world.json");
        let world = std::fs::read_to_string(world).expect("a world");
        assert!(world.contains(&format!("{region}a")), "{region}: {world}");
    }
}

/// The ARN of an adopted table names the account and the region that the header names.
#[test]
fn the_sim_has_one_account_and_the_true_region() {
    let machine = drstack();
    machine
        .write("s/stack.toml", &format!("{HEAD}[table.features]\nname = \"acme-features\"\nadopt = true\n"));
    machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).ok();
    let world = machine.folder().join(".drstack/sim/world.json");
    let world = std::fs::read_to_string(world).expect("a world");
    assert!(world.contains("arn:aws:dynamodb:us-west-2:123456789012:table/acme-features"), "{world}");
}
