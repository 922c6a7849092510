//! A lock, and facts: looked at and taken, they are understood or refused with a message.

#![no_main]

use std::sync::Arc;

use drstack_core::control::lock::{Holder, Lock, break_lock, holder, peek};
use drstack_core::control::records::facts;
use drstack_fuzz::{Same, now};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fn wanted() -> Holder {
    let moment = Timestamp::UNIX_EPOCH;
    let word = || "x".to_owned();
    Holder {
        owner: word(),
        host: word(),
        purpose: word(),
        run: word(),
        since: moment,
        until: moment,
        epoch: 1,
        in_flight: Default::default(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let store = Arc::new(Same(bytes.to_vec()));
    let said = [
        now(peek(&*store)).err().map(|it| it.to_string()),
        now(holder(&*store)).err().map(|it| it.to_string()),
        now(break_lock(&*store, "me")).err().map(|it| it.to_string()),
        now(facts(&*store)).err().map(|it| it.to_string()),
        now(Lock::take(store.clone(), wanted(), Timestamp::UNIX_EPOCH)).err().map(|it| it.to_string()),
        now(Lock::take(store.clone(), wanted(), Timestamp::MAX)).err().map(|it| it.to_string()),
    ];
    assert!(said.into_iter().flatten().all(|it| !it.is_empty()));
});
