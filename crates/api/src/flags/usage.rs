//! The usage text, laid out as pflag lays it out.

use std::fmt::Write as _;

use super::{Flag, Kind, TABLE};

/// The text for `--help` and in front of a usage error, with a final line
/// end. Hidden and deprecated flags are left out.
pub fn usage() -> String {
    let rows: Vec<(String, &Flag)> = TABLE
        .iter()
        .filter(|flag| !flag.hidden && flag.deprecated.is_none())
        .map(|flag| (left(flag), flag))
        .collect();
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    let mut text = String::from("Usage of daprd:\n");
    for (left, flag) in rows {
        let _ = write!(text, "{left:width$}   {}", flag.help);
        match flag.kind {
            _ if ["", "0", "false"].contains(&flag.default) => {}
            Kind::Text => {
                let _ = write!(text, " (default {:?})", flag.default);
            }
            _ => {
                let _ = write!(text, " (default {})", flag.default);
            }
        }
        text.push('\n');
    }
    text
}

fn left(flag: &Flag) -> String {
    let kind = match flag.kind {
        Kind::Bool => "",
        Kind::Text => " string",
        Kind::List => " strings",
        Kind::Int => " int",
        Kind::Uint => " uint",
        Kind::Duration => " duration",
    };
    format!("      --{}{kind}", flag.name)
}
