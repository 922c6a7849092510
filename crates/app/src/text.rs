//! Numbers, durations and names as people write them.

use std::time::Duration;

use drstack_core::address::Address;

/// Writes a duration as people write it: `4m 10s`, `2.5s`, `40ms`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Writes how much of a predicted time is left, no finer than a prediction is: `about 9m left`.
pub fn about(left: Duration) -> String {
    let seconds = left.as_secs_f64().ceil() as u64;
    let minutes = seconds.div_ceil(60);
    match seconds {
        0 => "longer than predicted".to_owned(),
        1..=50 => format!("about {}s left", seconds.next_multiple_of(10)),
        51..3600 => format!("about {minutes}m left"),
        _ => format!("about {}h {}m left", minutes / 60, minutes % 60),
    }
}

/// Writes a number with its noun: `1 step`, `2 steps`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Number of names that a sentence lists before it only counts.
const NAMED: usize = 5;

/// Lists some of the names, and the number of the others.
pub fn listed<T: std::fmt::Display>(names: &[T]) -> String {
    let mut said: Vec<String> = names.iter().take(NAMED).map(ToString::to_string).collect();
    if names.len() > NAMED {
        said.push(format!("{} more", names.len() - NAMED));
    }
    match said.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns the address of `known`, or the component of one, that the operator probably meant,
/// quoted for a shell.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a Address>) -> Option<String> {
    let it = nearest(name, known.flat_map(|it| [it.component().to_string(), it.to_string()]))?;
    Some(if it.contains('[') { format!("'{it}'") } else { it })
}

/// Returns the one of `known` that the operator probably meant.
pub fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    // Jaro-Winkler above 0.7 is the customary line between a slip and another word.
    known
        .map(|it| (strsim::jaro_winkler(name, &it), it))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let said: Vec<String> =
            [40, 2_500, 12_000, 250_000, 7_260_000].map(Duration::from_millis).map(duration).into();
        assert_eq!(said, ["40ms", "2.5s", "12s", "4m 10s", "2h 1m"]);
    }

    #[test]
    fn a_predicted_time_is_rounded_up() {
        let said: Vec<String> = [0, 200, 41_000, 55_000, 521_000, 3_540_500, 3_600_000, 7_260_000]
            .map(Duration::from_millis)
            .map(about)
            .into();
        let expected = ["longer than predicted", "about 10s left", "about 50s left", "about 1m left"];
        assert_eq!(said[..4], expected);
        assert_eq!(said[4..], ["about 9m left", "about 60m left", "about 1h 0m left", "about 2h 1m left"]);
    }
}
