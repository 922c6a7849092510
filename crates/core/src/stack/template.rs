//! Templates: `${...}` within strings, replaced while loading.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the names within `${...}` stand for: `input.capacity`, `stack.name`, `each.key`.
pub(super) type Variables = BTreeMap<String, Value>;

/// Why a template could not be replaced.
#[derive(Debug, PartialEq)]
pub(super) enum TemplateError {
    /// `${` without `}`.
    Open,
    /// No such variable.
    Unknown(String),
    /// A list within a longer string.
    NotText(String),
}

/// `text` with its templates replaced: `None` where there is none in it. A string that is exactly one template takes the
/// variable's type; `$${` stands for `${`.
pub(super) fn expand(text: &str, variables: &Variables) -> Result<Option<Value>, TemplateError> {
    if !text.contains("${") {
        return Ok(None);
    }
    let look_up = |name: &str| {
        let name = name.trim();
        variables.get(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))
    };
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && !name.contains(['$', '{', '}'])
    {
        return look_up(name).cloned().map(Some);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').ok_or(TemplateError::Open)? + at;
        let name = &rest[at + 2..end];
        match look_up(name)? {
            Value::String(text) => out.push_str(text),
            value @ (Value::Number(_) | Value::Bool(_)) => out.push_str(&value.to_string()),
            _ => return Err(TemplateError::NotText(name.to_owned())),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(Some(Value::String(out)))
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
        assert_eq!(expand("${nope}"), Err(TemplateError::Unknown("nope".into())));
        assert_eq!(expand("x${input.n"), Err(TemplateError::Open));
    }
}
