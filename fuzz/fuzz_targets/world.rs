//! The sim's files, with a zero byte between world and log: opening them ends, and what cannot be understood is left as it was.

#![no_main]

use std::sync::Arc;

use drstack_core::cloud::{Scope, Secrets};
use drstack_sim::{Sim, SimConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let between = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let files = (&bytes[..between], bytes.get(between + 1..).unwrap_or_default());
    let folder = tempfile::tempdir().expect("a folder");
    let (world, log) = (folder.path().join("world.json"), folder.path().join("world.log"));
    std::fs::write(&world, files.0).expect("world.json");
    std::fs::write(&log, files.1).expect("world.log");
    let scope = Scope {
        stack: "demo".into(),
        primary: "us-east-1".into(),
        standby: "us-west-2".into(),
        secrets: Arc::new(Secrets::default()),
    };
    let config = SimConfig::from_toml("").expect("no settings");
    if let Err(error) = Sim::open(folder.path(), config, drstack_kinds::kinds(), &scope, Vec::new()) {
        assert!(!error.hint().is_empty());
        assert_eq!(std::fs::read(&world).expect("world.json"), files.0);
        assert_eq!(std::fs::read(&log).expect("world.log"), files.1);
    }
});
