//! Tar files in the POSIX format, owned by root and without times.

use std::io;

/// Everything in a tar file comes in pieces of this size.
const BLOCK: usize = 512;

/// A tar file being written.
#[derive(Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Adds a folder everybody may read.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<()> {
        self.header(&format!("{path}/"), 0, 0o755, b'5')
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, content: &[u8], mode: u32) -> io::Result<()> {
        self.header(path, content.len(), mode, b'0')?;
        self.out.extend_from_slice(content);
        self.fill();
        Ok(())
    }

    /// The file, with the two empty blocks that end it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.resize(self.out.len() + 2 * BLOCK, 0);
        self.out
    }

    fn header(&mut self, path: &str, size: usize, mode: u32, kind: u8) -> io::Result<()> {
        if path.is_empty() || path.len() > 99 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a path must have 1 to 99 bytes: {path:?}"),
            ));
        }
        // Name, mode, user, group, size, time, check sum, kind, name of a
        // link, magic; names of owners, device numbers and prefix stay empty.
        let before = format!(
            "{path:\0<100}{mode:07o}\00000000\00000000\0{size:011o}\0{:011o}\0",
            0
        );
        let after = format!("{}{:\0<100}ustar\000", char::from(kind), "");
        // The sum counts its own field as eight spaces.
        let sum: u32 = before
            .bytes()
            .chain([b' '; 8])
            .chain(after.bytes())
            .map(u32::from)
            .sum();
        let header = format!("{before}{sum:06o}\0 {after}");
        self.out.extend_from_slice(header.as_bytes());
        self.fill();
        Ok(())
    }

    fn fill(&mut self) {
        self.out.resize(self.out.len().next_multiple_of(BLOCK), 0);
    }
}
