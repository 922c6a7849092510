//! A plan file: read and written again it says the same, or it is refused with a message.

#![no_main]

use drstack_core::plan_file::PlanFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match PlanFile::from_bytes(bytes) {
        Ok(file) => {
            let written = file.to_bytes().expect("a plan has a JSON form");
            let again = PlanFile::from_bytes(&written).expect("what was written can be read");
            assert!(again == file);
            let _ = file.check(&file.stack_hash, &file.plan).expect("a plan is its own");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
