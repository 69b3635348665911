//! Made-up app ids: two words that are easy to say.

const FIRST: &[&str] = &[
    "amber", "birch", "bright", "brisk", "cedar", "clear", "cobalt", "copper", "coral", "crisp",
    "dusty", "fern", "gentle", "golden", "hazel", "indigo", "ivory", "jade", "lilac", "mellow",
    "misty", "olive", "pearl", "quiet", "russet", "silver", "sunny", "swift", "teal", "velvet",
    "violet", "willow",
];

const SECOND: &[&str] = &[
    "badger", "beacon", "bridge", "brook", "canyon", "comet", "crane", "creek", "falcon", "field",
    "finch", "glade", "grove", "harbor", "heron", "island", "lantern", "lark", "maple", "meadow",
    "otter", "pebble", "pine", "plover", "raven", "ridge", "river", "robin", "sparrow", "thicket",
    "valley", "wren",
];

/// A name that `used` does not know.
pub(super) fn invent(used: impl Fn(&str) -> bool) -> String {
    loop {
        let pick = |words: &'static [&'static str]| words[fastrand::usize(..words.len())];
        let name = format!("{}-{}", pick(FIRST), pick(SECOND));
        if !used(&name) {
            return name;
        }
        // All of them in use is possible, if unlikely.
        let name = format!("{name}-{}", fastrand::u32(..));
        if !used(&name) {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_use_are_avoided() {
        let plain = invent(|_| false);
        assert_eq!(plain.split('-').count(), 2);
        assert!(plain.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let longer = invent(|name| name.split('-').count() == 2);
        assert_eq!(longer.split('-').count(), 3);
    }
}
