//! How load, compile, plan and schedule grow: `cargo bench -p drstack-benches`.

use divan::{Bencher, black_box};
use drstack_benches::{SERVICES, as_wanted, facts, graph, many_services, nothing, one_changed, planned};
use drstack_core::engine::schedule::Schedule;

fn main() {
    divan::main();
}

/// Parses the stack and its modules, once for each use, and checks all of it.
#[divan::bench(args = SERVICES, sample_count = 5, sample_size = 1)]
fn load(services: usize) {
    black_box(many_services(services));
}

#[divan::bench(args = SERVICES, sample_count = 5, sample_size = 1)]
fn compile(bencher: Bencher<'_, '_>, services: usize) {
    let stack = many_services(services);
    let facts = facts(&stack);
    bencher.bench_local(|| graph(&stack, &facts));
}

#[divan::bench(args = SERVICES, sample_count = 5, sample_size = 1)]
fn plan_against_nothing(bencher: Bencher<'_, '_>, services: usize) {
    let (stack, kinds) = (many_services(services), drstack_kinds::kinds());
    let wanted = graph(&stack, &facts(&stack));
    let seen = nothing(&wanted);
    bencher.bench_local(|| planned(&stack, &wanted, &seen, &kinds));
}

#[divan::bench(args = SERVICES, sample_count = 5, sample_size = 1)]
fn plan_as_wanted(bencher: Bencher<'_, '_>, services: usize) {
    let (stack, kinds) = (many_services(services), drstack_kinds::kinds());
    let wanted = graph(&stack, &facts(&stack));
    let seen = as_wanted(&planned(&stack, &wanted, &nothing(&wanted), &kinds).0, &kinds);
    bencher.bench_local(|| planned(&stack, &wanted, &seen, &kinds));
}

/// Compiles and plans anew after one component changed.
#[divan::bench(args = SERVICES, sample_count = 5, sample_size = 1)]
fn one_component_changed(bencher: Bencher<'_, '_>, services: usize) {
    let (stack, kinds) = (many_services(services), drstack_kinds::kinds());
    let facts = facts(&stack);
    let wanted = graph(&stack, &facts);
    let seen = as_wanted(&planned(&stack, &wanted, &nothing(&wanted), &kinds).0, &kinds);
    let changed = one_changed(stack);
    bencher.bench_local(|| planned(&changed, &graph(&changed, &facts), &seen, &kinds));
}

/// Runs the first apply's schedule to its end, every step done at once.
#[divan::bench(args = SERVICES, sample_count = 5, sample_size = 1)]
fn schedule(bencher: Bencher<'_, '_>, services: usize) {
    let (stack, kinds) = (many_services(services), drstack_kinds::kinds());
    let wanted = graph(&stack, &facts(&stack));
    let (plan, _) = planned(&stack, &wanted, &nothing(&wanted), &kinds);
    bencher.bench_local(|| {
        let mut schedule = Schedule::new(&plan);
        while !schedule.is_done() {
            for step in schedule.take_ready(64) {
                schedule.finish(step, true);
            }
        }
    });
}
