//! `measure SERVICES [UNTIL]`: loads, compiles, plans, plans again, plans one change, schedules; time of each, and peak memory.

use std::time::Instant;

use drstack_benches::{as_wanted, facts, graph, many_services, nothing, one_changed, planned};
use drstack_core::engine::schedule::Schedule;

/// Says how long each phase took, and ends the program behind the last one that was asked for.
struct Clock {
    until: Option<String>,
    begin: Instant,
}

impl Clock {
    #[expect(clippy::print_stdout, reason = "a program of its own, which is there to print this")]
    fn lap(&mut self, phase: &str, about: &str) {
        let took = self.begin.elapsed().as_secs_f64() * 1e3;
        println!("{phase:10} {took:9.1} ms  {:6} MB  {about}", peak());
        if self.until.as_deref() == Some(phase) {
            std::process::exit(0);
        }
        self.begin = Instant::now();
    }
}

/// The most memory that the program has had so far, in MB; 0 where the system does not say it as Linux does.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024 / 1_000_000
}

fn main() {
    let mut args = std::env::args().skip(1);
    let services = args.next().and_then(|it| it.parse().ok()).unwrap_or(110);
    let mut clock = Clock { until: args.next(), begin: Instant::now() };
    let kinds = drstack_kinds::kinds();

    let stack = many_services(services);
    clock.lap("load", &format!("{} components", stack.components.len()));
    let facts = facts(&stack);
    clock.lap("facts", &format!("{} answers", facts.answers.len()));
    let wanted = graph(&stack, &facts);
    clock.lap("compile", &format!("{} resources", wanted.resources.len()));
    let empty = nothing(&wanted);
    let (plan, _) = planned(&stack, &wanted, &empty, &kinds);
    clock.lap("plan", &format!("{} steps against nothing", plan.steps.len()));
    let mut schedule = Schedule::new(&plan);
    while !schedule.is_done() {
        for step in schedule.take_ready(64) {
            schedule.finish(step, true);
        }
    }
    clock.lap("schedule", "64 at once");
    let seen = as_wanted(&plan, &kinds);
    drop((plan, empty));
    clock.lap("world", "not drstack's work: the world for the next two");
    let (again, report) = planned(&stack, &wanted, &seen, &kinds);
    assert!(again.is_empty() && report.blocked.is_empty(), "the world is not as wanted");
    clock.lap("again", &format!("{} unchanged", report.unchanged));
    let changed = one_changed(stack);
    clock.lap("-", "");
    let (again, _) = planned(&changed, &graph(&changed, &facts), &seen, &kinds);
    clock.lap("change", &format!("{} steps, compiled anew", again.steps.len()));
}
