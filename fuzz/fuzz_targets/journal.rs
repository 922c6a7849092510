//! A journal: whatever it holds, what was begun can be told.

#![no_main]

use std::collections::BTreeSet;

use drstack_core::engine::journal::left;
use drstack_fuzz::{Same, now};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let told = now(left(&Same(bytes.to_vec()), "run", BTreeSet::new())).expect("a journal is never refused");
    assert!(told.begun.len() <= bytes.len() && told.unsettled.len() <= bytes.len());
});
