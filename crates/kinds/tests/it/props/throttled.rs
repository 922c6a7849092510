//! Throttling: an apply of which a third of the calls is throttled completes, and so does one in regions that take few
//! calls a second.

use super::scene::{Case, Scene, cases};
use super::{holds, run};

/// Share of calls, and the world is that of an apply at rest.
fn check_share(case: &Case) {
    run(async {
        let scene = Scene::of(case, None).await;
        let sim = scene.begin_with(|config| config.throttle = 0.3);
        scene.applied(&sim, "first").await;
        scene.expect_same(&sim).await;
    });
}

fn check_rate(case: &Case, rate: u32) {
    run(async {
        let scene = Scene::of(case, None).await;
        let sim = scene.begin_with(|config| config.rate = Some(rate));
        scene.applied(&sim, "first").await;
        scene.expect_same(&sim).await;
    });
}

#[test]
fn an_apply_with_a_third_of_its_calls_throttled_completes() {
    holds(60, cases(), |case| check_share(&case));
}

#[test]
fn an_apply_at_a_limited_rate_completes() {
    holds(60, (cases(), 3..30_u32), |(case, rate)| check_rate(&case, rate));
}
