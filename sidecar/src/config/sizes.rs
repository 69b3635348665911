//! Limits in bytes, new flags and the deprecated ones they replace.

use api::{flags::Parsed, quantity};

use super::ConfigError;

/// Bytes of a body unless a flag says otherwise.
const DEFAULT_BODY: u64 = 4 * 1024 * 1024;
/// Bytes of a head unless a flag says otherwise.
const DEFAULT_HEAD: usize = 4 * 1024;

pub(super) fn quantity_flag(flags: &Parsed, name: &str) -> Result<i64, ConfigError> {
    quantity::bytes(flags.string(name))
        .map_err(|error| ConfigError::Flag(format!("invalid value for '{name}' option: {error}")))
}

/// The new flag wins over the deprecated one in units of `unit` bytes.
fn size(flags: &Parsed, name: &str, deprecated: &str, unit: i64) -> Result<i64, ConfigError> {
    if !flags.is_set(name) && flags.is_set(deprecated) {
        let value = flags.int(deprecated);
        return Ok(if value > 0 {
            value.saturating_mul(unit)
        } else {
            value
        });
    }
    quantity_flag(flags, name)
}

pub(super) fn body_limit(flags: &Parsed) -> Result<Option<u64>, ConfigError> {
    let bytes = size(
        flags,
        "max-body-size",
        "dapr-http-max-request-size",
        1024 * 1024,
    )?;
    Ok(match bytes {
        -1 => Some(DEFAULT_BODY),
        // Zero and other negative numbers lift the limit.
        bytes => u64::try_from(bytes).ok().filter(|bytes| *bytes > 0),
    })
}

pub(super) fn header_limit(flags: &Parsed) -> Result<usize, ConfigError> {
    let bytes = size(
        flags,
        "read-buffer-size",
        "dapr-http-read-buffer-size",
        1024,
    )?;
    Ok(usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes > 0)
        .unwrap_or(DEFAULT_HEAD))
}
