//! Readiness of the parts a process is made of.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::RwLock;

/// All registered parts; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<RwLock<Vec<Part>>>,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    ready: Arc<AtomicBool>,
}

/// One part; starts unready.
#[derive(Clone, Debug)]
pub struct Target {
    ready: Arc<AtomicBool>,
}

impl Health {
    /// Registers a part.
    pub fn target(&self, name: &'static str) -> Target {
        let ready = Arc::new(AtomicBool::new(false));
        self.parts.write().push(Part {
            name,
            ready: Arc::clone(&ready),
        });
        Target { ready }
    }

    /// True when every registered part is ready.
    pub fn is_ready(&self) -> bool {
        self.parts
            .read()
            .iter()
            .all(|part| part.ready.load(Ordering::Acquire))
    }

    /// Names of the parts that are not ready, in order of registration.
    pub fn unready(&self) -> Vec<&'static str> {
        self.parts
            .read()
            .iter()
            .filter(|part| !part.ready.load(Ordering::Acquire))
            .map(|part| part.name)
            .collect()
    }
}

impl Target {
    /// Marks the part as ready.
    pub fn ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Marks the part as not ready.
    pub fn not_ready(&self) {
        self.ready.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_part_is() {
        let health = Health::default();
        let (first, second) = (health.target("a"), health.target("b"));
        assert_eq!(health.unready(), ["a", "b"]);
        second.ready();
        assert_eq!(health.unready(), ["a"]);
        first.ready();
        assert!(health.is_ready());
        second.not_ready();
        assert!(!health.is_ready());
    }
}
