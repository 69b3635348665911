//! The few DER pieces needed to write a certificate with an exact shape, and
//! to find the signed part of one. Writing by hand keeps the issuer's name
//! byte for byte as its own certificate has it, which chain building needs.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;

/// One element.
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

/// An element of these parts one after another.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let significant = bytes.iter().skip_while(|byte| **byte == 0);
            let count = significant.clone().count();
            // At most eight length bytes.
            out.push(0x80 | u8::try_from(count).unwrap_or(0));
            out.extend(significant);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// The first element of `input` and what follows it.
pub(super) fn read(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        let length = bytes
            .iter()
            .fold(0, |length, byte| (length << 8) | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = input.get(..input.len() - rest.len())?;
    Some((
        Element {
            tag,
            content,
            whole,
        },
        rest,
    ))
}

/// The content of a bit string that has whole bytes.
pub(super) fn bits<'a>(element: &Element<'a>) -> Option<&'a [u8]> {
    match element.content.split_first()? {
        (0, bytes) if element.tag == BIT_STRING => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_survive_the_way_back() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let written = element(OCTET_STRING, &[&content, b"end"]);
            let (element, rest) = read(&written).unwrap();
            assert_eq!(element.content.len(), length + 3);
            assert_eq!((element.whole, rest), (&written[..], &[][..]));
        }
    }

    #[test]
    fn cut_elements_are_refused() {
        let written = element(SEQUENCE, &[&[1; 300]]);
        for end in 0..written.len() {
            assert!(read(&written[..end]).is_none(), "{end}");
        }
        assert!(read(&[SEQUENCE, 0x80]).is_none());
        assert!(read(&[SEQUENCE, 0x85, 1, 1, 1, 1, 1]).is_none());
    }
}
