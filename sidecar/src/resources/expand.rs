//! `$VAR` and `${VAR}` in configuration files, exactly as Go's `os.Expand`
//! replaces them. It runs on the raw text, comments and regular expressions
//! included, and there is no escape.

/// Replaces every variable by what `lookup` answers, nothing for unset ones.
pub(super) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, consumed) = name_of(after);
        match (name, consumed) {
            // Nothing that could be a name follows: the dollar stays.
            ("", 0) => out.push('$'),
            // `${}` and an unterminated `${` disappear.
            ("", _) => {}
            (name, _) => out.push_str(&lookup(name).unwrap_or_default()),
        }
        rest = after.get(consumed..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The name behind a dollar and how many bytes it takes.
fn name_of(text: &str) -> (&str, usize) {
    if let Some(braced) = text.strip_prefix('{') {
        return match braced.split_once('}') {
            Some((name, _)) => (name, name.len() + 2),
            None => ("", 1),
        };
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || "*#$@!?-".contains(c)) {
        return text
            .split_at_checked(1)
            .map_or(("", 0), |(name, _)| (name, 1));
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let name = end.map_or(text, |end| text.get(..end).unwrap_or_default());
    (name, name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_expands() {
        let lookup = |name: &str| match name {
            "A" => Some("one".to_owned()),
            "A_1" => Some("two".to_owned()),
            "with space\nand line" => Some("odd".to_owned()),
            _ => None,
        };
        for (text, expanded) in [
            ("$A ${A} $A_1", "one one two"),
            ("$A-$UNSET|${UNSET}|", "one-||"),
            (r#"\d+$" $ $) $/ $"#, r#"\d+$" $ $) $/ $"#),
            (r"\d+$1x $9$*$#$$$@$!$?$-.", r"\d+x ."),
            ("a${}b", "ab"),
            ("a${A b", "aA b"),
            ("${with space\nand line}", "odd"),
            ("${1} ${*}", " "),
            ("$é$", "$é$"),
            ("$$A", "A"),
        ] {
            assert_eq!(expand(text, lookup), expanded, "{text}");
        }
    }
}
