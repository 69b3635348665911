//! What belongs into `caBundle`: our roots, and for a while the roots others
//! put there, whose certificates may still be shown by an injector that has
//! not noticed a change of roots yet.

use std::time::{Duration, Instant};

use security::TrustAnchors;

use super::configuration::Entry;

/// How long a root stays that is not (or no longer) ours. A mounted file
/// reaches every injector within two minutes.
const GRACE: Duration = Duration::from_mins(10);

/// Roots in `caBundle` that are not ours, and since when.
#[derive(Default)]
pub(super) struct Foreign(Vec<(Vec<u8>, Instant)>);

impl Foreign {
    /// `ours`, and of what the entries hold what may stay at `now`.
    pub(super) fn beside(
        &mut self,
        ours: &TrustAnchors,
        entries: &[Entry],
        now: Instant,
    ) -> TrustAnchors {
        let mut wanted = ours.clone();
        let mut known = Vec::new();
        for held in entries.iter().filter_map(|entry| entry.held.as_ref()) {
            for root in held.certificates() {
                if ours.certificates().contains(root) {
                    continue;
                }
                let before = self.0.iter().find(|(der, _)| *der == root.as_ref());
                let since = before.map_or(now, |(_, since)| *since);
                if now.duration_since(since) < GRACE
                    && let Ok(root) = TrustAnchors::from_certificates(vec![root.clone()])
                {
                    wanted = wanted.union(&root);
                }
                known.push((root.to_vec(), since));
            }
        }
        self.0 = known;
        wanted
    }
}

/// Whether both are the same roots, in any order.
pub(super) fn same(one: &TrustAnchors, other: &TrustAnchors) -> bool {
    let (one, other) = (one.certificates(), other.certificates());
    one.iter().all(|root| other.contains(root)) && other.iter().all(|root| one.contains(root))
}

#[cfg(test)]
mod tests {
    use super::super::configuration::tests::entry;
    use super::*;
    use crate::pki::Root;

    fn root(name: &str) -> TrustAnchors {
        Root::new(name).anchors()
    }

    #[test]
    fn a_foreign_root_stays_for_a_while() {
        let (ours, old) = (root("ours"), root("old"));
        let entries = [entry("a", Some(&old))];
        let start = Instant::now();
        let mut foreign = Foreign::default();
        let wanted = foreign.beside(&ours, &entries, start);
        assert!(same(&wanted, &ours.union(&old)));
        let later = start + GRACE / 2;
        assert!(same(&foreign.beside(&ours, &entries, later), &wanted));
        assert!(same(&foreign.beside(&ours, &entries, start + GRACE), &ours));
    }

    #[test]
    fn a_root_that_was_ours_becomes_foreign_when_it_no_longer_is() {
        let (old, new) = (root("old"), root("new"));
        let entries = [entry("a", Some(&old))];
        let start = Instant::now();
        let mut foreign = Foreign::default();
        assert!(same(&foreign.beside(&old, &entries, start), &old));
        let changed = start + 10 * GRACE;
        assert!(same(
            &foreign.beside(&new, &entries, changed),
            &new.union(&old)
        ));
        assert!(same(&foreign.beside(&new, &entries, changed + GRACE), &new));
    }
}
