//! The sim's files: opening them ends, and what cannot be understood is left as it was.

#![no_main]

use std::sync::Arc;

use drstack_core::cloud::{Scope, Secrets};
use drstack_sim::{Sim, SimConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|files: (&[u8], &[u8])| {
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
