//! Templates: `${...}` within strings, replaced while loading.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values of the names within `${...}`: `input.capacity`, `stack.name`, `each.key`; null if the
/// value was refused.
pub(super) type Variables = BTreeMap<String, Value>;

/// Longest text after its templates are replaced, in bytes: four times what EC2 accepts as user
/// data.
pub(super) const LONGEST: usize = 64 * 1024;

/// Why a template could not be replaced.
#[derive(Debug, PartialEq)]
pub(super) enum TemplateError {
    /// `${` without `}`.
    Open,
    /// No such variable.
    Unknown(String),
    /// A list within a longer string.
    NotText(String),
    /// The text would be longer than [`LONGEST`].
    TooLong,
    /// A variable whose own value was refused and reported before.
    Refused,
}

/// Replaces the templates of `text`; `None` if it has none.
///
/// A string that is exactly one template takes the variable's type; `$${` stands for `${`.
///
/// # Errors
/// Everything that is wrong with the templates.
pub(super) fn expand(text: &str, variables: &Variables) -> Result<Option<Value>, Vec<TemplateError>> {
    if !text.contains("${") {
        return Ok(None);
    }
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && !name.contains(['$', '{', '}'])
    {
        return look_up(name, variables).cloned().map(Some).map_err(|error| vec![error]);
    }
    let (mut out, mut rest, mut errors) = (String::with_capacity(text.len()), text, Vec::new());
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}').map(|end| end + at) else {
            errors.push(TemplateError::Open);
            return Err(errors);
        };
        let name = &rest[at + 2..end];
        match look_up(name, variables) {
            Ok(Value::String(text)) => out.push_str(text),
            Ok(value @ (Value::Number(_) | Value::Bool(_))) => out.push_str(&value.to_string()),
            Ok(_) => errors.push(TemplateError::NotText(name.trim().to_owned())),
            Err(error) => errors.push(error),
        }
        rest = &rest[end + 1..];
        if out.len() > LONGEST {
            errors.push(TemplateError::TooLong);
            return Err(errors);
        }
    }
    out.push_str(rest);
    if errors.is_empty() { Ok(Some(Value::String(out))) } else { Err(errors) }
}

fn look_up<'a>(name: &str, variables: &'a Variables) -> Result<&'a Value, TemplateError> {
    let name = name.trim();
    match variables.get(name) {
        None => Err(TemplateError::Unknown(name.to_owned())),
        Some(Value::Null) => Err(TemplateError::Refused),
        Some(value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_keep_types_and_escape() {
        let variables: Variables =
            [("input.n".to_owned(), json!(40)), ("stack.name".to_owned(), json!("s"))].into();
        let expand = |text| expand(text, &variables);
        assert_eq!(expand("plain"), Ok(None));
        assert_eq!(expand("${input.n}"), Ok(Some(json!(40))));
        assert_eq!(expand("${stack.name}-${input.n}"), Ok(Some(json!("s-40"))));
        assert_eq!(expand("a$${x}"), Ok(Some(json!("a${x}"))));
        let unknown = |name: &str| TemplateError::Unknown(name.to_owned());
        assert_eq!(expand("${nope}"), Err(vec![unknown("nope")]));
        assert_eq!(expand("${a}-${b}-${c"), Err(vec![unknown("a"), unknown("b"), TemplateError::Open]));
    }
}
