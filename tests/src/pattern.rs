//! Bodies too large to keep: every byte follows from its position, so both
//! ends check the whole content, not only its length.

/// A prime, so that no power-of-two buffer hides a shifted piece.
const PERIOD: usize = 65_521;

/// A generator or checker that remembers how far it is.
#[derive(Clone, Debug)]
pub struct Pattern {
    block: Vec<u8>,
    position: u64,
}

impl Pattern {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let block = (0..PERIOD)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        Self { block, position: 0 }
    }

    /// Bytes produced or checked so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes of the stream, at most `limit`.
    pub fn next(&mut self, limit: usize) -> &[u8] {
        let start = (self.position % PERIOD as u64) as usize;
        let end = (start + limit).min(PERIOD);
        self.position += (end - start) as u64;
        &self.block[start..end]
    }

    /// The next `length` bytes in one piece.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length);
        while out.len() < length {
            let piece = self.next(length - out.len());
            out.extend_from_slice(piece);
        }
        out
    }

    /// True when `piece` continues the stream.
    pub fn check(&mut self, mut piece: &[u8]) -> bool {
        while !piece.is_empty() {
            let expected = self.next(piece.len());
            let length = expected.len();
            if expected != &piece[..length] {
                return false;
            }
            piece = &piece[length..];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_missing_byte_is_noticed() {
        let body = Pattern::new(7).take(200_000);
        assert!(Pattern::new(7).check(&body));
        let mut changed = body.clone();
        changed[199_999] ^= 1;
        assert!(!Pattern::new(7).check(&changed));
        let mut checker = Pattern::new(7);
        assert!(checker.check(&body[..100]));
        assert!(!checker.check(&body[101..]));
        assert!(!Pattern::new(8).check(&body));
    }
}
