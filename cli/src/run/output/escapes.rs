//! Takes terminal escape sequences out of what goes to files.

/// Where in a sequence the bytes are; one may be cut in two.
#[derive(Debug, Default)]
pub(super) struct Escapes {
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// Behind ESC.
    Escape,
    /// Intermediate bytes before the one that ends a short sequence.
    Short,
    /// `ESC [`: parameters, then one final byte.
    Control,
    /// `ESC ]` and the like: text up to BEL or ESC \.
    String,
    /// ESC within such a text.
    StringEscape,
}

impl Escapes {
    /// The bytes without sequences. A sequence never goes past its line, so
    /// that a broken one cannot swallow the rest.
    pub(super) fn strip(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(bytes.len());
        for byte in bytes.iter().copied() {
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, _) | (_, b'\n') => {
                    plain.push(byte);
                    State::Text
                }
                (State::Escape, b'[') | (State::Control, 0x20..0x40) => State::Control,
                (State::Escape | State::Short, 0x20..0x30) => State::Short,
                (State::String, 0x1b) => State::StringEscape,
                (State::StringEscape, b'\\') | (State::String, 0x07) => State::Text,
                (State::Escape, b']' | b'P' | b'X' | b'^' | b'_')
                | (State::String | State::StringEscape, _) => State::String,
                (State::Escape | State::Short | State::Control, _) => State::Text,
            };
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_dropped() {
        for (line, plain) in [
            ("a\x1b[0mb", "ab"),
            ("\x1b[38;5;1mx", "x"),
            ("\x1b", ""),
            ("\x1b[", ""),
            ("\x1bcx", "x"),
            ("\x1b(Bx", "x"),
            ("\x1b]0;title\x07x", "x"),
            ("\x1b]8;;http://h\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]0;broken\nx", "\nx"),
        ] {
            let stripped = Escapes::default().strip(line.as_bytes());
            assert_eq!(stripped, plain.as_bytes(), "{line:?}");
        }
    }

    #[test]
    fn a_sequence_may_come_in_two_pieces() {
        let mut escapes = Escapes::default();
        let whole = [escapes.strip(b"a\x1b[3"), escapes.strip(b"1mb")].concat();
        assert_eq!(whole, b"ab");
    }
}
