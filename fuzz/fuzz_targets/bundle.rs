//! A bundle: read, it is what was published, or it is refused with a message; with a hash that fits, its stack compiles or is
//! refused too.

#![no_main]

use drstack_core::bundle::{Bundle, FORMAT};
use drstack_core::cloud::sha256;
use drstack_core::compile::compile;
use drstack_core::objective::Mode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = Bundle::from_bytes(bytes) {
        assert!(!error.to_string().is_empty() && !error.hint().is_empty());
    }
    // The bytes as the body of one whose hash fits: what somebody could make who may write to the bucket.
    let head = format!("{{\"format\":{FORMAT},\"hash\":\"{}\",\"bundle\":", sha256(bytes));
    let Ok(bundle) = Bundle::from_bytes(&[head.as_bytes(), bytes, b"}"].concat()) else { return };
    let again = Bundle::from_bytes(&bundle.to_bytes().expect("a bundle has a JSON form"));
    assert!(again.expect("what was written can be read").says_the_same_as(&bundle));
    match bundle.stack(&drstack_kinds::components()) {
        Ok(stack) => [Mode::Standby, Mode::Active].into_iter().for_each(|mode| {
            compile(&stack, &bundle.facts, mode);
        }),
        Err(error) => assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
    }
});
