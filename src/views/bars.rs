//! Bars of a run on a terminal: one for the whole run, and a few lines for what is running.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drstack_core::plan::StepId;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use tokio::time::Instant;

use super::{about, count};
use crate::ui::TICK;

/// Most running steps with a line of their own: what a glance takes in. The bar counts the others.
const ROWS: usize = 4;

/// Width of the bar, in characters: the line fits into 80 columns.
const WIDTH: usize = 24;

/// The bars.
pub(super) struct Bars {
    all: MultiProgress,
    head: ProgressBar,
    rows: BTreeMap<StepId, ProgressBar>,
    /// When the run is predicted to end, for the bar to count down between two events.
    end: Arc<Mutex<Option<Instant>>>,
}

impl Bars {
    /// Creates the bars of a run of `steps` steps.
    pub(super) fn new(all: MultiProgress, steps: usize) -> Self {
        let end = Arc::new(Mutex::new(None));
        let until = Arc::clone(&end);
        let left = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let end: Option<Instant> = *until.lock().unwrap_or_else(PoisonError::into_inner);
            let left = end.map(|it| it.saturating_duration_since(Instant::now()));
            let _ = out.write_str(&left.map(about).unwrap_or_default());
        };
        let head = all.add(ProgressBar::new(steps as u64));
        let template = format!("  [{{pos}}/{{len}}] {{bar:{WIDTH}}} {{left}}{{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            head.set_style(style.with_key("left", left).progress_chars("=> "));
        }
        head.enable_steady_tick(TICK);
        Self { all, head, rows: BTreeMap::new(), end }
    }

    /// Shows the number of ended steps, what is running, and the time that is left.
    ///
    /// `running` has a text for each step, and how long it has run.
    pub(super) fn show(
        &mut self,
        ended: usize,
        steps: usize,
        running: &BTreeMap<StepId, (String, Duration)>,
        left: Option<Duration>,
    ) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = left.map(|left| Instant::now() + left);
        self.head.set_length(steps as u64);
        self.head.set_position(ended as u64);
        self.rows.retain(|step, row| {
            let runs = running.contains_key(step);
            if !runs {
                row.finish_and_clear();
                self.all.remove(row);
            }
            runs
        });
        for (step, (text, elapsed)) in running {
            if let Some(row) = self.rows.get(step) {
                row.set_message(text.clone());
            } else if self.rows.len() < ROWS {
                let row = self.all.add(ProgressBar::new_spinner().with_elapsed(*elapsed));
                if let Ok(style) = ProgressStyle::with_template("  {spinner} {elapsed:>4} {wide_msg}") {
                    row.set_style(style);
                }
                row.set_message(text.clone());
                row.enable_steady_tick(TICK);
                self.rows.insert(*step, row);
            }
        }
        let more = running.len() - self.rows.len();
        let more =
            if more == 0 { String::new() } else { format!(", {} running", count(running.len(), "step")) };
        self.head.set_message(more);
    }

    /// Prints above the bars by `print`.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.rows.values().chain([&self.head]).for_each(ProgressBar::finish_and_clear);
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressDrawTarget;

    use super::*;

    #[test]
    fn a_few_running_steps_have_a_line_and_the_next_one_follows_when_one_ends() {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let mut bars = Bars::new(all, 20);
        let step = |id: StepId| (id, (format!("creating {id}"), Duration::from_secs(3)));
        let running: BTreeMap<StepId, (String, Duration)> = (0..6).map(step).collect();
        bars.show(1, 20, &running, Some(Duration::from_secs(120)));
        assert_eq!(bars.rows.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!((bars.head.position(), bars.head.length()), (1, Some(20)));
        assert_eq!(bars.head.message(), ", 6 steps running");
        let fewer: BTreeMap<StepId, (String, Duration)> = (2..6).map(step).collect();
        bars.show(3, 20, &fewer, None);
        assert_eq!(bars.rows.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!((bars.head.position(), bars.head.message()), (3, String::new()));
        assert_eq!(bars.rows[&5].message(), "creating 5");
        assert!(bars.rows[&5].elapsed() >= Duration::from_secs(3), "it counts from the step's start");
    }
}
