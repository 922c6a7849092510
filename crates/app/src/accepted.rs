//! Words that an operator types: an accepted minimum, and a text quoted for a shell.

use drstack_core::minimum::Minimum;

/// The value of one `--minimum`.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The pool; `None` for every pool.
    pub pool: Option<String>,
    /// The minimum.
    pub minimum: Minimum,
}

/// Parses `40%`, `16` or `pool.inference=40%`.
pub fn parse(text: &str) -> Result<Accepted, String> {
    // A key of `for_each` may hold any character, but a minimum has no `=`.
    let (pool, minimum) = match text.rsplit_once('=') {
        Some((pool, minimum)) => (Some(pool.to_owned()), minimum),
        None => (None, text),
    };
    let minimum = minimum.parse().map_err(|error: drstack_core::minimum::NoMinimum| error.to_string())?;
    Ok(Accepted { pool, minimum })
}

/// Quotes `text` for a shell.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=%,@+".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimum_is_for_one_pool_or_for_all_and_never_nonsense() {
        let read = |text: &str| parse(text).ok().map(|it| (it.pool, it.minimum.to_string()));
        assert_eq!(read("40%"), Some((None, "40%".to_owned())));
        let keyed = "pool.a[\"x=y\"]";
        assert_eq!(read(&format!("{keyed}=7")), Some((Some(keyed.to_owned()), "7".to_owned())));
        for text in ["0%", "101%", "0", "pool.a=0%", "pool.a", "", "="] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
