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
}
