//! Waiting as a value: when to poll again, and when to give up.

use std::time::Duration;

use crate::kind::Wait;

/// Pauses between polls; the iterator ends when the deadline is used up.
#[derive(Clone, Debug)]
pub struct Pauses {
    next: Duration,
    slowest: Duration,
    left: Duration,
}

impl Pauses {
    /// Creates the pauses that `wait` describes.
    pub fn of(wait: Wait) -> Self {
        Self { next: wait.first, slowest: wait.slowest, left: wait.deadline }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next.min(self.left);
        if pause.is_zero() {
            return None;
        }
        self.left -= pause;
        self.next = (self.next * 3 / 2).min(self.slowest);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_the_deadline() {
        let wait = Wait {
            deadline: Duration::from_secs(10),
            first: Duration::from_secs(1),
            slowest: Duration::from_secs(2),
        };
        let pauses: Vec<f64> = Pauses::of(wait).map(|pause| pause.as_secs_f64()).collect();
        assert_eq!(pauses, [1.0, 1.5, 2.0, 2.0, 2.0, 1.5]);
    }
}
