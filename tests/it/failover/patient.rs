//! Looking is as patient as doing: a read of the control bucket that fails or is garbled once ends no
//! failover.

use super::{LOST, asked, run};

/// Attempts of the simulated client, which retries throttled calls as the SDK does.
const ATTEMPTS: u32 = 10;

/// Returns a fault at the call of this number that reads `key`.
fn fault(key: &str, error: &str, at: u32) -> String {
    format!(
        "[[faults]]\noperation = \"control\"\nkind = \"get\"\nsubject = \"{key}\"\nerror = \"{error}\"\nat = {at}\n"
    )
}

#[test]
fn one_read_that_fails_or_is_garbled_ends_no_failover() {
    for key in ["bundle.json", "lock.json", "mode.json"] {
        for error in ["garbled", "internal", "throttled", "timeout-after-effect"] {
            let machine = asked();
            let times = if error == "throttled" { ATTEMPTS } else { 1 };
            let faults: String = (1..=times).map(|at| fault(key, error, at)).collect();
            machine.write("bad.toml", &format!("{LOST}{faults}"));
            let ran = run(&machine, "failover s --auto-approve", Some("bad.toml"));
            assert_eq!(ran.code, 0, "{error} of {key}: {ran:?}");
        }
    }
}

#[test]
fn an_object_that_is_damaged_is_no_error_of_the_stack() {
    for (key, code) in [("bundle.json", 1), ("lock.json", 4)] {
        let machine = asked();
        let faults: String = (1..40).map(|at| fault(key, "garbled", at)).collect();
        machine.write("bad.toml", &format!("{LOST}{faults}"));
        let ran = run(&machine, "failover s --auto-approve", Some("bad.toml"));
        assert_eq!(ran.code, code, "{key}: {ran:?}");
    }
}
